import assert from "node:assert/strict";
import test from "node:test";
import { runCase } from "./measure.ts";
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
    2,
    60_000,
    quiet,
  );
  assert.equal(contenders[0]!.obstacle, "not done after 0.001 minutes");
  assert.deepEqual(contenders[0]!.samples, []);
  assert.equal(contenders[1]!.samples.length, 2);
  assert.ok(wasTold);
});

test("over its budget, a case gives everybody one round and nobody another", async () => {
  const both = ["a", "b"].map((name) => contender(name, () => ({ wallMs: 1 })));
  const { contenders } = await runCase(caseOf(...both), "", 3, 0, quiet);
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
  const { contenders } = await runCase(caseOf(breaks), "", 3, 60_000, quiet);
  assert.equal(contenders[0]!.obstacle, "no such port");
  assert.deepEqual(contenders[0]!.samples, []);
  assert.equal(runs, 2);
});
