// The room's door: what a caller sees of a run.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { Event, EventBody } from "../core/events.ts";
import { Coverage } from "./coverage.ts";
import { renderPlans } from "./render.ts";
import { coveredBy, loadRotation, planRotations, runRotations } from "./run.ts";
import type { RotateOptions } from "./types.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-run-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "d"));
  return root;
}

async function rotate(root: string, text: string, some: Partial<RotateOptions> = {}) {
  writeFileSync(join(root, "conf"), text.replaceAll("ROOT", root), { mode: 0o644 });
  const options = { configs: [join(root, "conf")], statePath: join(root, "state"), ...some };
  const rotation = await loadRotation(options);
  const events: EventBody[] = [];
  const emit = (body: EventBody): Event => {
    events.push(body);
    return body as Event;
  };
  const plans = await planRotations(rotation, options);
  const summary = await runRotations(rotation, options, emit);
  return { rotation, plans, events, summary };
}

test("a plan is plain JSON, changes nothing, and is what the run does", async (t) => {
  const root = scratch(t);
  writeFileSync(join(root, "d/a.log"), "x".repeat(2000));
  writeFileSync(join(root, "d/a.log.1.gz"), "old");
  const text =
    "ROOT/d/a.log {\n size 1k\n rotate 1\n compress\n create 0600\n postrotate\n  true\n endscript\n}\nROOT/d/none.log {\n missingok\n}\n";
  const { plans, events } = await rotate(root, text);
  assert.deepEqual(JSON.parse(JSON.stringify(plans)), plans);
  assert.deepEqual(
    plans.map((plan) => [plan.verdict, plan.why]),
    [
      ["rotate", "2000 bytes, size 1024 reached"],
      ["skip", "the log does not exist (missingok)"],
    ],
  );
  const shown = renderPlans(plans, 100).replaceAll(root, "ROOT");
  for (const line of [
    "rename ROOT/d/a.log.1.gz to ROOT/d/a.log.2.gz",
    "rename ROOT/d/a.log to ROOT/d/a.log.1",
    "create ROOT/d/a.log mode 0600",
    "run postrotate script ROOT/conf:6: true",
    "compress ROOT/d/a.log.1 (2.0 KiB) to ROOT/d/a.log.1.gz with /bin/gzip",
    "remove ROOT/d/a.log.2.gz (3 B): past the last generation",
    "frees 3 B",
  ]) {
    assert.ok(shown.replace(/\s+/g, " ").includes(line), `${line} in\n${shown}`);
  }
  assert.deepEqual(readdirSync(join(root, "d")).sort(), ["a.log", "a.log.1.gz"]);
  assert.deepEqual(
    events.map((event) => event.type),
    ["log.rotated"],
  );
});

test("one log's failure is that log's: its neighbours rotate, its stamp stays, and the status says so", async (t) => {
  const root = scratch(t);
  for (const log of ["a", "b", "c"]) writeFileSync(join(root, `d/${log}.log`), log);
  const stamps = ["a", "b", "c"].map((log) => `"${root}/d/${log}.log" 2024-1-1-0:0:0\n`).join("");
  writeFileSync(join(root, "state"), `logrotate state -- version 2\n${stamps}`);
  const text =
    'ROOT/d/*.log {\n daily\n rotate 1\n prerotate\n  case "$1" in */b.log) echo no >&2; exit 3;; esac\n endscript\n}\n';
  const { events, summary } = await rotate(root, text, { now: new Date(2024, 4, 6, 10, 0, 0) });
  assert.deepEqual([summary.rotated, summary.failed, summary.exitStatus], [2, 1, 1]);
  const failed = events.find((event) => event.type === "rotation.failed");
  assert.match(
    failed?.type === "rotation.failed" ? failed.why : "",
    /non-shared prerotate script for .*conf:4: exit status 3: no/,
  );
  const state = readFileSync(join(root, "state"), "utf8");
  assert.match(state, /b\.log" 2024-1-1-0:0:0/);
  assert.match(state, /a\.log" 2024-5-6-10:0:0/);
});

test("bad stanzas, sizes, users and dates are named by file and line; the rest rotates", async (t) => {
  const root = scratch(t);
  writeFileSync(join(root, "d/good.log"), "x");
  const text =
    "ROOT/d/a.log {\n size 5m\n}\nROOT/d/b.log {\n create 0644 nosuchuser\n}\nROOT/d/c.log {\n rotate 7d\n}\nROOT/d/good.log {\n size 1\n rotate 1\n}\n";
  const { rotation, summary } = await rotate(root, text);
  assert.deepEqual(
    rotation.faults.map((fault) => `${fault.line} ${fault.key} ${fault.consequence}`),
    ["2 size stanza skipped", "5 create stanza skipped", "8 rotate stanza skipped"],
  );
  assert.deepEqual([summary.rotated, summary.exitStatus], [1, 1]);
});

test("a bad global stops its own file, for what inherits it might delete too much; the including file goes on", async (t) => {
  const root = scratch(t);
  writeFileSync(join(root, "part"), `rotate lots\n${root}/d/b.log {\n}\n`, { mode: 0o644 });
  const { rotation } = await rotate(root, "rotate 3\ninclude ROOT/part\nROOT/d/a.log {\n missingok\n}\n");
  assert.deepEqual(
    rotation.stanzas.map((stanza) => [stanza.logs, stanza.settings.rotate]),
    [[[`${root}/d/a.log`], 3]],
  );
  assert.equal(rotation.faults[0]?.consequence, "rest of the file skipped");
});

test("a log in two stanzas belongs to the first; the second loses that log only", async (t) => {
  const root = scratch(t);
  for (const log of ["a", "b"]) writeFileSync(join(root, `d/${log}.log`), log);
  const text = "ROOT/d/a.log {\n size 1\n rotate 1\n}\nROOT/d/*.log {\n size 1\n rotate 2\n}\n";
  const { rotation, summary } = await rotate(root, text);
  assert.deepEqual(
    rotation.stanzas.map((stanza) => stanza.logs.length),
    [1, 1],
  );
  assert.match(rotation.faults[0]?.message ?? "", /duplicate log entry for .*a\.log: it is also in .*conf:1/);
  assert.equal(summary.rotated, 2);
});

test("only restricts a run, and other logs keep their stamps", async (t) => {
  const root = scratch(t);
  for (const log of ["a", "b"]) writeFileSync(join(root, `d/${log}.log`), log);
  const { summary } = await rotate(root, "ROOT/d/*.log {\n rotate 1\n}\n", {
    only: [join(root, "d/a.log")],
    force: true,
  });
  assert.deepEqual([summary.logs, summary.rotated], [1, 1]);
  assert.ok(existsSync(join(root, "d/b.log")));
});

test("errors mails what failed to its address, once", async (t) => {
  const root = scratch(t);
  for (const log of ["a", "b"]) writeFileSync(join(root, `d/${log}.log`), log);
  writeFileSync(join(root, "mailer"), `#!/bin/sh\n{ echo "to $*"; cat; } >> ${root}/mailed\n`, {
    mode: 0o755,
  });
  const text =
    "ROOT/d/*.log {\n size 1\n rotate 1\n errors ops@example.org\n prerotate\n  exit 1\n endscript\n}\n";
  const { summary } = await rotate(root, text, { mailCommand: [join(root, "mailer")] });
  assert.equal(summary.failed, 2);
  const mailed = readFileSync(join(root, "mailed"), "utf8");
  assert.equal(mailed.match(/^to /gm)?.length, 1);
  assert.match(mailed, /rotation of 2 logs failed ops@example\.org/);
  assert.match(mailed, /d\/a\.log\n {4}error running non-shared prerotate script for/);
});

test("knows which stanza covers a path, and whose generation a name is", async (t) => {
  const root = scratch(t);
  writeFileSync(join(root, "d/app.log"), "x");
  const { rotation } = await rotate(
    root,
    "ROOT/d/app.log {\n weekly\n rotate 3\n}\nROOT/d/sub/*.log {\n missingok\n}\nROOT/d/*.log {\n missingok\n}\n",
  );
  assert.equal(coveredBy(rotation, join(root, "d/sub/new.log"))?.id, 2);
  assert.equal(coveredBy(rotation, join(root, "d/own.txt")), null);
  const coverage = new Coverage(rotation);
  const of = (name: string) => coverage.generation(join(root, "d", name));
  assert.deepEqual([of("app.log.1")?.compressed, of("app.log.2.gz")?.compressed], [false, true]);
  assert.equal(of("app.log-20240101.gz")?.log, join(root, "d/app.log"));
  for (const name of ["app.log", "app.log.x", "app.logs.1", "other.log.1", "app.log.1.bz2"]) {
    assert.equal(of(name), null, name);
  }
  assert.equal(coverage.stanzasFor(join(root, "d/app.log")).length, 2);
});

test("a full disk in the middle of compression leaves the uncompressed file and says so", {
  timeout: 30_000,
}, async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root: mounts a small file system");
  const root = scratch(t);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m,mode=755", "tmpfs", join(root, "d")]).status !== 0) {
    return t.skip("needs mount: apt install mount");
  }
  try {
    const noise = spawnSync("head", ["-c", "4000000", "/dev/urandom"], { maxBuffer: 8_000_000 }).stdout;
    writeFileSync(join(root, "d/a.log"), noise);
    const { summary, events } = await rotate(root, "ROOT/d/a.log {\n size 1\n rotate 2\n compress\n}\n");
    assert.equal(summary.exitStatus, 1);
    assert.match(
      events.map((event) => (event.type === "rotation.failed" ? event.why : "")).join(),
      /No space left|ENOSPC/,
    );
    assert.deepEqual(readdirSync(join(root, "d")), ["a.log.1"]);
    assert.ok(readFileSync(join(root, "d/a.log.1")).equals(noise));
  } finally {
    spawnSync("umount", [join(root, "d")]);
  }
});

test("a writer that was faster than create keeps what it wrote", async (t) => {
  const root = scratch(t);
  const log = join(root, "d/a.log");
  writeFileSync(log, "old\n");
  // The daemon reopens by name on its own, here before telltale creates the file.
  const { plans } = await rotate(root, "ROOT/d/a.log {\n size 100k\n rotate 1\n create 0600\n}\n");
  assert.equal(plans[0]?.verdict, "skip");
  const { executeStanza, makePool } = await import("./execute.ts");
  const { Directories } = await import("./directories.ts");
  const { NO_NOTES } = await import("./journal.ts");
  const forced = await planRotations(await loadRotation({ configs: [join(root, "conf")] }), {
    configs: [],
    statePath: join(root, "state"),
    force: true,
  });
  const { SqueezeThreads } = await import("./squeeze/threads.ts");
  using directories = new Directories();
  await using threads = new SqueezeThreads(1);
  const late = forced.map((plan) => ({
    ...plan,
    rotate: [
      plan.rotate[0]!,
      {
        do: "script" as const,
        name: "prerotate" as const,
        script: { text: `echo new > ${log}`, place: { file: "f", line: 1 } },
        args: [],
      },
      ...plan.rotate.slice(1),
    ],
  }));
  const run = await executeStanza(late, {
    directories,
    threads,
    identity: null,
    stamp: "s",
    mailCommand: [],
    inherit: false,
    pool: makePool(1),
    lightPool: makePool(1),
    notes: NO_NOTES,
    replay: null,
  });
  assert.deepEqual(
    (await run.outcomes).map((outcome) => outcome.failure),
    [null],
  );
  assert.equal(readFileSync(log, "utf8"), "new\n");
  appendFileSync(log, "");
  assert.equal(readFileSync(`${log}.1`, "utf8"), "old\n");
});

test("a log whose name is not UTF-8 is rotated, and scripts and the state have every byte of it", async (t) => {
  const root = scratch(t);
  const bytes = (path: string): Buffer => Buffer.from(path, "latin1");
  const log = (ending = ""): Buffer => bytes(`${root}/d/a\xff\xe9\n.log${ending}`);
  const text =
    'ROOT/d/*.log {\n size 1\n rotate 2\n compress\n create\n missingok\n postrotate\n printf \'%s|%s\\0\' "$1" "$2" >> ROOT/seen\n endscript\n}\n';
  for (const content of ["first", "second", "third"]) {
    writeFileSync(log(), content);
    const { summary, events } = await rotate(root, text);
    assert.deepEqual([summary.exitStatus, summary.rotated], [0, 1], JSON.stringify(events));
  }
  const names = readdirSync(bytes(`${root}/d`), { encoding: "latin1" }).sort();
  assert.deepEqual(names, ["a\xff\xe9\n.log", "a\xff\xe9\n.log.1.gz", "a\xff\xe9\n.log.2.gz"]);
  assert.equal(gunzipSync(readFileSync(log(".1.gz"))).toString(), "third");
  assert.equal(gunzipSync(readFileSync(log(".2.gz"))).toString(), "second");
  const seen = readFileSync(join(root, "seen"), "latin1").split("\0");
  assert.deepEqual(seen, [
    ...Array(3).fill(`${log().toString("latin1")}|${log(".1").toString("latin1")}`),
    "",
  ]);
  assert.match(readFileSync(join(root, "state"), "latin1"), /d\/a\xff\xe9\\n\.log" 20/);
});
