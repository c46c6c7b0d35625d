import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { waitFor } from "../tests/system/wait.ts";
import { CommandFailed, runCase, runMeasured, runToEnd } from "./measure.ts";
import type { Case, Contender, Sample } from "./types.ts";

const contender = (name: string, run: Contender["run"], more: Partial<Contender> = {}): Contender => ({
  name,
  role: "peer",
  command: name,
  isAlwaysCold: true,
  run,
  ...more,
});

const caseOf = (...contenders: readonly Contender[]): Case => ({
  name: "case",
  what: "",
  metrics: [],
  goals: [],
  open: () => ({ contenders, [Symbol.dispose]: () => {} }),
});

const quiet = () => undefined;

test("a contender that hangs is told to end and counts as failed; the others are measured", async () => {
  let wasTold = false;
  const hangs = contender(
    "hangs",
    (signal) => {
      signal.addEventListener("abort", () => {
        wasTold = true;
      });
      return new Promise<Sample>(() => {});
    },
    { limitMinutes: 0.001 },
  );
  const { contenders } = await runCase(
    caseOf(
      hangs,
      contender("works", () => ({ wallMs: 1 })),
    ),
    "",
    { rounds: 2, budgetMs: 60_000 },
    quiet,
  );
  assert.equal(contenders[0]!.obstacle, "not done after 0.001 minutes");
  assert.deepEqual(contenders[0]!.samples, []);
  assert.equal(contenders[1]!.samples.length, 2);
  assert.ok(wasTold);
});

test("over its budget, a case gives everybody one round and nobody another", async () => {
  const both = ["a", "b"].map((name) => contender(name, () => ({ wallMs: 1 })));
  const { contenders } = await runCase(caseOf(...both), "", { rounds: 3, budgetMs: 0 }, quiet);
  assert.deepEqual(
    contenders.map(({ samples }) => samples.length),
    [1, 1],
  );
});

test("who fails once is named with what was said, and has no figure", async () => {
  let runs = 0;
  const breaks = contender("breaks", () => {
    if (++runs === 2) throw new Error("no such port");
    return { wallMs: 1 };
  });
  const { contenders } = await runCase(caseOf(breaks), "", { rounds: 3, budgetMs: 60_000 }, quiet);
  assert.equal(contenders[0]!.obstacle, "no such port");
  assert.deepEqual(contenders[0]!.samples, []);
  assert.equal(runs, 2);
});

test("a second run adds the rounds that are missing, and neither repeats who runs once nor tries again who failed", async () => {
  const runs = { many: 0, once: 0, breaks: 0 };
  const theCase = caseOf(
    contender("many", () => ({ wallMs: ++runs.many })),
    contender("once", () => ({ wallMs: ++runs.once }), { roundsMax: 1 }),
    contender("breaks", () => {
      runs.breaks++;
      throw new Error("no such port");
    }),
  );
  const first = await runCase(theCase, "", { rounds: 1, budgetMs: 60_000 }, quiet);
  const extent = { rounds: 3, budgetMs: 60_000, earlier: first.contenders };
  const second = await runCase(theCase, "", extent, quiet);
  assert.deepEqual(runs, { many: 3, once: 1, breaks: 1 });
  assert.deepEqual(
    second.contenders.map(({ samples }) => samples),
    [[{ wallMs: 1 }, { wallMs: 2 }, { wallMs: 3 }], [{ wallMs: 1 }], []],
  );
  assert.equal(second.contenders[2]!.obstacle, "no such port");
});

test("how long a case took tells its set-up, a round, and a round without those who run once", async () => {
  const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));
  const slow = contender(
    "slow",
    async () => {
      await wait(30);
      return {};
    },
    { roundsMax: 1 },
  );
  const { took } = await runCase(
    caseOf(
      slow,
      contender("quick", () => ({})),
    ),
    "",
    { rounds: 2, budgetMs: 60_000 },
    quiet,
  );
  assert.ok(took!.roundS >= 0.029 && took!.laterRoundS < took!.roundS, JSON.stringify(took));
});

test("a command's end, its words and its cost are told; a status that was not expected is an error", async () => {
  const ended = await runToEnd(["sh", "-c", "echo out; echo err >&2; exit 3"], { stdout: "pipe" });
  assert.deepEqual({ ...ended, wallMs: 0 }, { status: 3, stdout: "out\n", stderr: "err\n", wallMs: 0 });
  assert.ok(ended.wallMs > 0);
  await assert.rejects(runToEnd(["/nonexistent/program"], { stdout: "pipe" }), /ENOENT/);
  const cost = await runMeasured(["sh", "-c", "exit 3"], { statuses: [3] });
  assert.ok(cost["wallMs"]! > 0 && cost["rssMb"]! > 0 && cost["cpuMs"]! >= 0);
  await assert.rejects(runMeasured(["sh", "-c", "echo no >&2; exit 3"]), CommandFailed);
});

test("who ends the bench ends what it is measuring, with all that was started by it", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-measure-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "pid");
  const work = `sleep 1000 & echo $! >${file}.new; mv ${file}.new ${file}; wait`;
  const script = `process.on("SIGINT", () => process.exit(130));
    const { runMeasured } = await import(${JSON.stringify(join(import.meta.dirname, "measure.ts"))});
    await runMeasured(["sh", "-c", ${JSON.stringify(work)}]);`;
  const bench = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, TMPDIR: dir },
  });
  await waitFor("the work to begin", () => existsSync(file));
  const pid = readFileSync(file, "utf8").trim();
  bench.kill("SIGINT");
  const [status] = await once(bench, "exit");
  assert.equal(status, 130);
  await waitFor("the work to be ended", () => !existsSync(`/proc/${pid}`));
  assert.deepEqual(readdirSync(dir), ["pid"], "its account is removed");
});
