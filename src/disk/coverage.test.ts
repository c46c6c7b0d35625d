import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { openForWritingLater } from "../sys/open-files.ts";
import { lookAtCoverage } from "./coverage.ts";
import { glance } from "./glance.ts";
import type { Covering, CoveringStanza } from "./types.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-disk-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "log"));
  return root;
}

// A rotation that knows logs by their whole names, and their generations as `.N`.
function covering(logs: readonly string[], stanzas: readonly CoveringStanza[] = []): Covering {
  const generation = (path: string) => {
    const hit = /^(.*)\.\d+(\.gz)?$/.exec(path);
    return hit !== null && logs.includes(hit[1]!) ? { log: hit[1]!, compressed: hit[2] !== undefined } : null;
  };
  return {
    has: (path) => logs.includes(path) || generation(path) !== null,
    generation,
    placesFor: (path) => stanzas.filter((each) => each.logs.includes(path)).map(({ place }) => place),
    stanzas,
  };
}

const stanza = (place: string, logs: readonly string[], everRotated = true): CoveringStanza => ({
  place,
  patterns: logs,
  logs,
  everRotated,
});

test("logs that no stanza covers are found with their writer, generations of covered ones are not", async (t) => {
  const root = scratch(t);
  const at = (name: string) => join(root, "log", name);
  for (const name of ["app.log", "app.log.1", "own.log", "own.log.3.gz", "big.journal", "still.log"])
    writeFileSync(at(name), name);
  writeFileSync(at("empty.log"), "");
  for (const name of ["lastlog", "installer.log"]) writeFileSync(at(name), name);
  utimesSync(at("installer.log"), new Date(), new Date(Date.now() - 30 * 86_400_000));
  const fd = openSync(at("own.log"), "a");
  // Neither under a log directory nor called a log, and yet appended to.
  const other = openSync(join(root, "output"), "a");
  const binary = openSync(join(root, "table"), "a");
  writeSync(other, "a line\n");
  writeSync(binary, Buffer.from([0, 1, 2]));
  t.after(() => [fd, other, binary].forEach(closeSync));
  const report = await lookAtCoverage(covering([at("app.log")]), {
    roots: [join(root, "log")],
    now: new Date(Date.now() + 86_400_000),
  });
  // Of what this machine itself writes, nothing is to be said here.
  const found = report.uncovered.filter((log) => log.path.startsWith(root));
  assert.deepEqual(found.map((log) => log.path.slice(root.length)).sort(), [
    "/log/own.log",
    "/log/still.log",
    "/output",
  ]);
  const own = found.find((log) => log.path.endsWith("own.log"))!;
  assert.match(own.writer, new RegExp(`\\(pid ${process.pid}\\)$`));
  assert.equal(own.program, process.execPath);
  assert.equal(own.sizeBytes, 7);
  assert.equal(Math.round(own.bytesPerDay!), 7);
  assert.equal(own.growthFrom, "age");
  assert.ok(own.stanza.startsWith(`${at("own.log")} {\n    weekly\n`), own.stanza);
  assert.ok(own.stanza.endsWith("    copytruncate\n}\n"), own.stanza);
  assert.equal(found.find((log) => log.path.endsWith("still.log"))!.writer, "");
});

test("names what is deleted and still open, and what its writer never let go of", async (t) => {
  const root = scratch(t);
  const at = (name: string) => join(root, "log", name);
  const gone = openSync(at("gone.log"), "a");
  writeSync(gone, "x".repeat(8_192));
  unlinkSync(at("gone.log"));
  const held = openSync(at("held.log"), "a");
  writeSync(held, "before\n");
  renameSync(at("held.log"), at("held.log.1"));
  writeFileSync(at("held.log"), "");
  t.after(() => [gone, held].forEach(closeSync));
  const look = async () => {
    const rotation = covering([at("held.log"), at("gone.log")]);
    const { mishandled } = await lookAtCoverage(rotation, { roots: [join(root, "log")], now: new Date() });
    return mishandled.filter(({ path }) => path.startsWith(root));
  };
  const [deleted, ...others] = await look();
  assert.deepEqual([deleted!.how, deleted!.path, others], ["deleted-open", at("gone.log"), []]);
  assert.ok(deleted!.sizeBytes >= 8_192);
  assert.match(deleted!.writer, new RegExp(`\\(pid ${process.pid}\\)$`));
  // It goes on writing long after the new log was made.
  writeSync(held, "after\n");
  utimesSync(at("held.log.1"), new Date(), new Date(Date.now() + 60_000));
  const never = (await look()).find(({ how }) => how === "never-reopened")!;
  assert.equal(never.path, at("held.log.1"));
  assert.match(never.why, /goes on writing the rotated file/);
});

test("names stanzas that match nothing any more, and logs that two of them name", async (t) => {
  const root = scratch(t);
  const at = (name: string) => join(root, "log", name);
  writeFileSync(at("a.log"), "");
  writeFileSync(at("a.log.1"), "");
  const stanzas = [
    stanza("/etc/one:1", [at("a.log")]),
    stanza("/etc/two:5", [at("a.log")]),
    stanza("/etc/three:1", [at("moved.log")]),
    stanza("/etc/four:1", [at("never.log")], false),
    stanza("/etc/five:1", [at("a.log.1")]),
  ];
  const { mishandled } = await lookAtCoverage(covering([at("a.log")], stanzas), {
    roots: [join(root, "log")],
    now: new Date(),
  });
  const said = mishandled
    .filter(({ path }) => path.startsWith(root))
    .map(({ how, why, usual }) => [how, why, usual]);
  assert.deepEqual(said, [
    [
      "matches-nothing",
      "the stanza at /etc/three:1 matches nothing any more: what it named has been rotated, and is gone",
      undefined,
    ],
    ["matches-nothing", "the stanza at /etc/four:1 matches nothing", true],
    ["covered-twice", "2 stanzas name it: /etc/one:1, /etc/two:5; only the first counts", undefined],
    [
      "covered-twice",
      `the pattern at /etc/five:1 also matches a generation of ${at("a.log")}: it is rotated again and again`,
      undefined,
    ],
  ]);
});

test("a glance changes when somebody begins to append to another file, and not while a known one grows", async (t) => {
  const root = scratch(t);
  const path = join(root, "log/app.log");
  const ours = async () =>
    (await glance())
      .split("\n")
      .filter((line) => line.includes(root))
      .join();
  assert.equal(await ours(), "");
  const fd = openSync(path, "a");
  t.after(() => closeSync(fd));
  const begun = await ours();
  assert.ok(begun.endsWith(path));
  appendFileSync(path, "more\n");
  assert.equal(await ours(), begun);
});

test("20,000 descriptors of 500 processes are looked at in short stretches; what it costs is said", {
  timeout: 60_000,
}, async (t) => {
  // Forty descriptors each, as servers have them: mostly sockets, pipes and files that are read.
  const program = `
import os, sys
keep = [os.open("/etc/passwd", 0) for _ in range(18)] + [os.open("/dev/null", 1) for _ in range(18)]
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for _ in range(499):
    if os.fork() == 0: break
else: print("ready", flush=True)
sys.stdin.read()`;
  const root = scratch(t);
  const child = spawn("python3", ["-c", program, join(root, "log/many.log")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const started = await Promise.race([once(child.stdout!, "data"), once(child, "error").then(() => null)]);
  if (started === null) return t.skip("needs python3: apt install python3");
  t.after(() => void child.stdin!.end());
  let longestMs = 0;
  let last = performance.now();
  const pulse = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
  }, 1);
  await openForWritingLater(() => true);
  let best = Number.POSITIVE_INFINITY;
  let seen = 0;
  // The least of some looks: others use this machine too, and the first is slower than those of a guard that runs.
  for (let look = 0; look < 5; look++) {
    const before = process.cpuUsage();
    seen = (await openForWritingLater((path) => !path.startsWith("/dev/"))).descriptors;
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1_000);
  }
  clearInterval(pulse);
  t.diagnostic(
    `${seen} descriptors: ${best.toFixed(0)} ms of CPU, loop held for ${longestMs.toFixed(0)} ms at most`,
  );
  assert.ok(seen >= 19_000, `${seen} descriptors`);
});
