// A stranger sends from as many addresses as he likes: the guard blocks a few, says that it blocks no more, keeps its
// memory, and the honest client is served all the while.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab } from "./lab.ts";
import { listenerOf, withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

// A thousand for each run asked for: the million takes a minute or two of both cores.
const SOURCES = Math.min(1_000_000, Math.max(100_000, 1_000 * Number(process.env["TELLTALE_RUNS"] ?? 0)));
// What is remembered is bounded to some 10 MB; the rest is garbage that each of two processes may let lie.
const GROWTH_KB = 100_000;

test(`${SOURCES.toLocaleString("en")} forged sources: the breaker trips, memory stays flat, the client gets through`, {
  skip: labObstacle("nft", "hping3", "setpriv") ?? false,
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
  const guard = await startGuard(lab, ["--block", "--config", config], withListener(lab));
  const guards = [guard.child.pid!, listenerOf(guard)];
  const before = weightKb(guards);
  const began = { atMs: performance.now(), cpuMs: cpuMs(guards) };

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
  let peak = before;
  await waitFor(
    "the flood to end",
    () => {
      const { stdout } = lab.run("client", [process.execPath, "-e", get, client!.host4], {
        timeoutMs: 8_000,
      });
      assert.equal(stdout.trim(), "hello", "the honest client is served");
      served++;
      peak = Math.max(peak, weightKb(guards));
      return ended;
    },
    600_000,
  );
  const core = (cpuMs(guards) - began.cpuMs) / (performance.now() - began.atMs);
  const { why } = await guard.until("part.failed", (event) => /circuit breaker/.test(event.why));
  t.diagnostic(`${why}; the client was served ${served} times`);

  const listing = lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout;
  const blocks = [...listing.matchAll(/^\s*set blocked4_32 \{[\s\S]*?\n\t\}/gm)].join("");
  const blocked = blocks.match(/expires/g)?.length ?? 0;
  // User space blocks 60 a minute; so does the kernel, for a minute each.
  const minutes = Math.ceil((performance.now() - start) / 60_000);
  assert.ok(blocked <= 130 * minutes, `${blocked} blocked`);
  const grown = peak - before;
  t.diagnostic(
    `${blocked} blocked; ${before} kB before, at most ${grown} kB more, ${weightKb(guards) - before} kB more after the flood; ${(core * 100).toFixed(1)} % of a core`,
  );
  assert.ok(grown < GROWTH_KB, `memory grew by ${grown} kB`);
  assert.doesNotMatch(
    blocks,
    new RegExp(`\\b${client!.v4.replaceAll(".", "\\.")}\\b`),
    "the client is not blocked",
  );
  assert.equal((await guard.stop()).status, 0);
});

const start = performance.now();

// Pages that processes share count once.
function weightKb(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
    return sum + Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
  }, 0);
}

// Clock ticks of a hundredth of a second, in user and system mode: proc_pid_stat(5).
function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /, "")
      .split(" ");
    return sum + 10 * (Number(fields[11]) + Number(fields[12]));
  }, 0);
}
