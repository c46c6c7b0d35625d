import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { every, untilRound } from "./rounds.ts";

const machineMs = () => Number(process.hrtime.bigint()) / 1e6;
const PATIENCE_MS = 20_000;

/** Resolves when `isSo`, which whoever makes it so asks. */
function hearing(t: test.TestContext): { tell(isSo: boolean): void; readonly heard: Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => reject(new Error("it was not called in time")), PATIENCE_MS);
  t.after(() => clearTimeout(late));
  return { tell: (isSo) => isSo && resolve(), heard: promise };
}

test("work of different periods is done in one turn where their multiples meet", async (t) => {
  const turns: string[][] = [];
  let turn: string[] | null = null;
  const { tell, heard } = hearing(t);
  const note = (name: string) => () => {
    if (turn === null) {
      turn = [];
      turns.push(turn);
      setImmediate(() => {
        turn = null;
      });
    }
    turn.push(name);
    tell(name === "four" && turns.length > 3);
  };
  const rounds = [every(40, note("four")), every(20, note("two")), every(20, note("also two"))];
  t.after(() => {
    for (const round of rounds) round[Symbol.dispose]();
  });
  await heard;
  for (const names of turns) {
    assert.ok(names.includes("two") && names.includes("also two"), "what has one period comes together");
  }
});

test("rounds come at multiples of their period on the machine's clock", async (t) => {
  let first = Number.NaN;
  const { tell, heard } = hearing(t);
  const round = every(50, () => {
    first = machineMs();
    tell(true);
  });
  t.after(() => round[Symbol.dispose]());
  const began = machineMs();
  await heard;
  assert.ok(first >= (Math.floor(began / 50) + 1) * 50 - 1, "not before the next multiple");
  const untilMs = untilRound(60_000);
  assert.ok(untilMs >= 1 && untilMs <= 60_000);
  assert.ok(Math.abs(((machineMs() + untilMs + 30_000) % 60_000) - 30_000) < 1_000);
});

test("work that was disposed of is not called again, not even in the turn that it was due in", async (t) => {
  const { tell, heard } = hearing(t);
  let calls = 0;
  const one = every(10, () => {
    two[Symbol.dispose]();
    tell(true);
  });
  const two = every(10, () => calls++);
  t.after(() => one[Symbol.dispose]());
  await heard;
  const { tell: again, heard: later } = hearing(t);
  const three = every(10, () => again(true));
  t.after(() => three[Symbol.dispose]());
  await later;
  assert.equal(calls, 0);
});

test("an error in one piece of work ends as an uncaught one, and the others are done", () => {
  const program = `
    const { every } = await import(${JSON.stringify(import.meta.resolve("./rounds.ts"))});
    process.once("uncaughtException", (error) => console.log("uncaught", error.message));
    every(10, () => { if (!told) { told = true; throw new Error("broken"); } }, { holds: true });
    let told = false;
    let calls = 0;
    every(10, () => { if (++calls === 2) { console.log("called"); process.exit(0); } });`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: PATIENCE_MS,
  });
  assert.equal(stdout, "uncaught broken\ncalled\n");
});

test("a process ends although rounds are left, unless one of them holds it", () => {
  const program = (holds: boolean) => `
    const { every } = await import(${JSON.stringify(import.meta.resolve("./rounds.ts"))});
    every(50, () => {});
    const held = every(50, () => { console.log("called"); held[Symbol.dispose](); }, { holds: ${holds} });`;
  const outputs = [true, false].map(
    (holds) =>
      spawnSync(process.execPath, ["--input-type=module", "-e", program(holds)], {
        encoding: "utf8",
        timeout: PATIENCE_MS,
      }).stdout,
  );
  assert.deepEqual(outputs, ["called\n", ""]);
});
