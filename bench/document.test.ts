import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { newestRecords, renderDocument } from "./document.ts";
import type { Bench, BenchRecord, CaseResult } from "./types.ts";

const MACHINE = { cpu: "A", cores: 2, memoryMb: 24_000, kernel: "6.1" };

const result = (name: string, commit: string): CaseResult => ({
  name,
  what: `The work of ${name}.`,
  metrics: [],
  goals: [],
  contenders: [],
  agreement: null,
  at: "2026-01-02T03:04:05Z",
  commit,
  load: 0,
  command: `npm run bench -- check --only ${name}`,
});

const record = (date: string, names: readonly string[], machine = MACHINE): BenchRecord => ({
  bench: "check",
  date,
  machine,
  node: "26.0.0",
  versions: {},
  cases: names.map((name) => result(name, `on-${date}`)),
});

test("each case comes from the newest record of the same machine that has it", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-records-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const other = { ...MACHINE, cores: 64 };
  for (const each of [
    record("2026-01-01", ["a", "b"]),
    record("2026-01-02", ["elsewhere"], other),
    record("2026-01-03", ["b", "c"]),
  ]) {
    writeFileSync(join(dir, `check-${each.date}.json`), JSON.stringify(each));
  }
  const found = newestRecords(dir).get("check")!;
  assert.equal(found.date, "2026-01-03");
  assert.deepEqual(found.cases.map(({ name, commit }) => `${name} ${commit}`).sort(), [
    "a on-2026-01-01",
    "b on-2026-01-03",
    "c on-2026-01-03",
  ]);
});

test("the document has the cases that the bench has, in its order, and a table across them", () => {
  const bench: Bench = {
    name: "check",
    title: "Log checking",
    about: "How.",
    packages: [],
    across: (results) => [
      { title: "Growth", about: "Of time.", rows: [["", ...results.map(({ name }) => name)]] },
    ],
    cases: () =>
      ["c", "a"].map((name) => ({
        name,
        what: "",
        metrics: [],
        goals: [],
        open: () => ({ contenders: [], [Symbol.dispose]: () => {} }),
      })),
  };
  const known = new Map([["check", record("2026-01-03", ["a", "gone", "c"])]]);
  const headings = renderDocument([bench], known).match(/^#+ .*/gm);
  assert.deepEqual(headings, [
    "# Benchmarks",
    "## Summary",
    "## Log checking",
    "### Growth",
    "### check: c",
    "### check: a",
  ]);
});
