import assert from "node:assert/strict";
import test from "node:test";
import { roundsOf, stillTrue } from "./resume.ts";
import type { BenchRecord, CaseResult, ContenderResult, Machine } from "./types.ts";

const HERE: Machine = { cpu: "A", cores: 2, memoryMb: 24_000, kernel: "6.1" };

const contender = (name: string, role: ContenderResult["role"], rounds: number): ContenderResult => ({
  name,
  role,
  command: name,
  obstacle: rounds === 0 ? "needs it" : null,
  samples: Array.from({ length: rounds }, () => ({ wallMs: 1 })),
});

const result = (name: string, commit: string, rounds: number): CaseResult => ({
  name,
  what: "",
  metrics: [],
  goals: [],
  contenders: [
    contender("telltale", "telltale", rounds),
    contender("peer", "peer", 1),
    contender("absent", "peer", 0),
  ],
  agreement: null,
  at: "",
  commit,
  load: 0,
  command: "",
});

const record = (cases: readonly CaseResult[], machine = HERE): BenchRecord => ({
  bench: "check",
  date: "2026-01-01",
  machine,
  node: "26.0.0",
  versions: {},
  cases,
});

test("what was measured of the same program on the same machine is not measured again", () => {
  const held = stillTrue(
    [record([result("same", "now", 2), result("older", "before", 2), result("failed", "now", 0)])],
    HERE,
    (commit) => commit === "now",
  );
  assert.deepEqual([...held.keys()], ["check same"]);
  assert.equal(roundsOf(held.get("check same")), 2);
  const elsewhere = record([result("same", "now", 2)], { ...HERE, cores: 64 });
  assert.equal(stillTrue([elsewhere], HERE, () => true).size, 0);
});

test("a peer that could not run then is tried again", () => {
  const held = stillTrue([record([result("same", "now", 1)])], HERE, () => true).get("check same");
  assert.deepEqual(
    held?.contenders.map(({ name }) => name),
    ["telltale", "peer"],
  );
});

test("a case that was never measured has had no round", () => {
  assert.equal(roundsOf(undefined), 0);
});
