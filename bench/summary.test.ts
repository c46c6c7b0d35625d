import assert from "node:assert/strict";
import test from "node:test";
import { growthTables } from "./growth.ts";
import { summaryOf } from "./summary.ts";
import { type Bench, type CaseResult, type ContenderResult, type Goal, type Sample, WALL } from "./types.ts";

type Who = readonly [name: string, role: ContenderResult["role"], ...samples: readonly Sample[]];

const result = (name: string, whos: readonly Who[], goals: readonly Goal[] = []): CaseResult => ({
  name,
  what: "",
  metrics: [WALL, { key: "rate", title: "rate", unit: "MB/s", better: "more" }],
  goals,
  contenders: whos.map(([who, role, ...samples]) => ({
    name: who,
    role,
    command: "",
    obstacle: samples.length === 0 ? "needs it" : null,
    samples,
  })),
  agreement: null,
  at: "",
  commit: "",
  load: 0,
  command: "",
});

const benchOf = (...names: readonly string[]): Bench => ({
  name: "check",
  title: "",
  about: "",
  packages: [],
  cases: () =>
    names.map((name) => ({
      name,
      what: "",
      metrics: [WALL],
      goals: [],
      open: () => ({ contenders: [], [Symbol.dispose]: () => {} }),
    })),
});

const summary = (each: CaseResult): readonly string[] =>
  summaryOf([{ bench: benchOf(each.name), results: [each] }]).rows[1]!;

test("a case's row names the best of its peers, and variants are none", () => {
  const row = summary(
    result("small", [
      ["telltale", "telltale", { wallMs: 10 }],
      ["telltale in one process", "variant", { wallMs: 1 }],
      ["slow", "peer", { wallMs: 90 }],
      ["quick", "peer", { wallMs: 20 }],
      ["absent", "peer"],
      ["wc -l", "limit", { wallMs: 2 }],
    ]),
  );
  assert.deepEqual(row.slice(0, 6), [
    "[check: small](#check-small)",
    "wall",
    "10 ms",
    "20 ms (quick)",
    "2.00× faster",
    "2 ms (wc -l)",
  ]);
});

test("whoever is behind is told so: a goal missed, a peer that is better, or no figure at all", () => {
  const ours: Who = ["telltale", "telltale", { wallMs: 10 }];
  const goal: Goal = { metric: "wallMs", over: "peer", ratioAtLeast: 2 };
  const last = (...args: Parameters<typeof result>) => summary(result(...args)).at(-1);
  assert.equal(last("a", [ours, ["peer", "peer", { wallMs: 30 }]], [goal]), "reached");
  assert.equal(last("a", [ours, ["peer", "peer", { wallMs: 15 }]], [goal]), "BEHIND: wall (1.50×)");
  assert.equal(last("a", [ours, ["peer", "peer", { wallMs: 5 }]]), "BEHIND that peer");
  assert.equal(last("a", [["peer", "peer", { wallMs: 5 }]]), "BEHIND: telltale has no figure");
  assert.equal(last("a", [ours, ["peer", "peer"]], [goal]), "1 of 1 not measured");
});

test("a case that was never measured has its row, and a table of its own kind is counted", () => {
  const bench = benchOf("never", "scans");
  const counted: Bench = {
    ...bench,
    rows: () => [
      ["", "x"],
      ["a", "ahead"],
      ["b", "level"],
      ["c", "BEHIND psad"],
    ],
  };
  const { rows, about } = summaryOf([{ bench: counted, results: [result("scans", [])] }]);
  assert.match(about, /^Of 2 cases, 0 reached what was wanted, 1 BEHIND, 1 not measured\. /);
  assert.equal(rows[1]![2], "not measured yet");
  assert.deepEqual(rows[2]!.slice(1), [
    "3 rows",
    "ahead in 1, level in 1",
    "ahead in 1",
    "",
    "",
    "BEHIND in 1",
  ]);
});

test("growth puts sizes of one work side by side, with a gap where one was not measured", () => {
  const whole = (name: string, ours: number, theirs?: number): CaseResult =>
    result(name, [
      ["telltale", "telltale", { wallMs: ours }],
      ...(theirs === undefined ? [] : [["logcheck", "peer", { wallMs: theirs }] as Who]),
    ]);
  const [log, ...others] = growthTables([
    whole("typical-1MB-C", 100, 1_000),
    whole("typical-200MB-C", 400),
    whole("worst-1MB-C.UTF-8", 100),
    whole("first-result", 300),
  ]);
  assert.deepEqual(log!.rows, [
    ["", "1 MB", "200 MB", "largest to smallest"],
    ["typical, C: telltale", "100 ms", "400 ms", "4.0×"],
    ["typical, C: logcheck", "1 s", "–", ""],
  ]);
  assert.equal(others.length, 0, "one number of rules is no growth");
});
