// A stranger sends from as many addresses as he likes: the guard blocks a few, says that it blocks no more, keeps its
// memory, and the honest client is served all the while.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab } from "./lab.ts";
import { waitFor } from "./wait.ts";

// A thousand for each run asked for: the million takes a minute or two of both cores.
const SOURCES = Math.min(1_000_000, Math.max(100_000, 1_000 * Number(process.env["TELLTALE_RUNS"] ?? 0)));
// What is remembered is bounded to some 10 MB; the rest is garbage that each of two processes may let lie: it stays the same from
// 250,000 sources on (measured on the responder alone: 12 MB of heap, 250 MB resident, up to a million).
const GROWTH_KB = 220_000;

test(`${SOURCES.toLocaleString("en")} forged sources: the breaker trips, memory stays flat, the client gets through`, {
  skip: labObstacle("nft", "hping3") ?? false,
  timeout: 660_000,
}, async (t) => {
  using lab = makeLab(["stranger", "client"]);
  const [stranger, client] = lab.clients;
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(
    config,
    `[store]\ndirectory = "${lab.dir}/state"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n[sentry]\ntripwire_ports = [23]\n`,
  );
  const serve = `require("net").createServer((s) => { s.on("error", () => {}).end("hello") }).listen(80, "::", () => console.log("ready"))`;
  const server = lab.start("host", [process.execPath, "-e", serve]);
  await waitFor("the server", () => server.stdout!.readableLength > 0);
  const guard = await startGuard(lab, ["--block", "--config", config]);
  const guards = memoryUsers(lab);
  const before = residentKb(guards);

  // One touch of port 23 is a scan, so every forged source asks for a block of its own.
  const flood = lab.start("stranger", [
    "hping3",
    "-q",
    "-n",
    "-S",
    "--rand-source",
    "-p",
    "23",
    "-c",
    String(SOURCES),
    "-i",
    "u20",
    stranger!.host4,
  ]);
  flood.stdout!.resume();
  flood.stderr!.resume();
  let ended = false;
  flood.on("exit", () => {
    ended = true;
  });
  const get = `const s = require("net").connect(80, process.argv[1]); s.on("data", (d) => console.log(String(d))).on("error", (e) => console.log(e.code)); setTimeout(() => process.exit(), 5000).unref()`;
  let served = 0;
  await waitFor(
    "the flood to end",
    () => {
      const { stdout } = lab.run("client", [process.execPath, "-e", get, client!.host4], {
        timeoutMs: 8_000,
      });
      assert.equal(stdout.trim(), "hello", "the honest client is served");
      served++;
      return ended;
    },
    600_000,
  );
  const { why } = await guard.until("part.failed", (event) => /circuit breaker/.test(event.why));
  t.diagnostic(`${why}; the client was served ${served} times`);

  const listing = lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout;
  const blocks = [...listing.matchAll(/^\s*set blocked4_32 \{[\s\S]*?\n\t\}/gm)].join("");
  const blocked = blocks.match(/expires/g)?.length ?? 0;
  // User space blocks 60 a minute; so does the kernel, for a minute each.
  const minutes = Math.ceil((performance.now() - start) / 60_000);
  assert.ok(blocked <= 130 * minutes, `${blocked} blocked`);
  const grown = residentKb(guards) - before;
  t.diagnostic(`${blocked} blocked; memory ${before} kB, ${grown} kB more after the flood`);
  assert.ok(grown < GROWTH_KB, `memory grew by ${grown} kB`);
  assert.doesNotMatch(
    blocks,
    new RegExp(`\\b${client!.v4.replaceAll(".", "\\.")}\\b`),
    "the client is not blocked",
  );
  assert.equal((await guard.stop()).status, 0);
});

const start = performance.now();

function memoryUsers(lab: Lab): number[] {
  return lab
    .run("host", ["sh", "-c", "ls /proc | grep -x '[0-9]*'"])
    .stdout.trim()
    .split("\n")
    .map(Number)
    .filter((pid) => /telltale|app\/main/.test(commandOf(pid)) && commandOf(pid).includes(lab.dir));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // It ended meanwhile.
  }
}

function residentKb(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return sum + Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }, 0);
}
