import assert from "node:assert/strict";
import test from "node:test";
import { renderDocument } from "./document.ts";
import {
  alignColumns,
  comparison,
  figure,
  goalLines,
  measured,
  ratioOver,
  span,
  summarise,
  tableOf,
} from "./figures.ts";
import {
  type Bench,
  type BenchRecord,
  type CaseResult,
  type ContenderResult,
  CPU,
  RSS,
  type Sample,
  type Unit,
  WALL,
} from "./types.ts";

const contender = (
  name: string,
  role: ContenderResult["role"],
  samples: readonly Sample[],
  obstacle: string | null = null,
): ContenderResult => ({ name, role, command: `${name} -f`, obstacle, samples });

const RESULT: CaseResult = {
  name: "small",
  what: "Three logs.",
  metrics: [WALL, RSS],
  goals: [
    { metric: "wallMs", over: "peer", ratioAtLeast: 2 },
    { metric: "wallMs", over: "slow", ratioAtLeast: 2 },
    { metric: "rssMb", atMost: 80 },
    { metric: "rssMb", over: "peer", within: 1.07 },
    { metric: "wallMs", over: "absent", ratioAtLeast: 1 },
  ],
  contenders: [
    contender("telltale", "telltale", [
      { wallMs: 200, rssMb: 60 },
      { wallMs: 100, rssMb: 62 },
      { wallMs: 150, rssMb: 61 },
    ]),
    contender("peer", "peer", [{ wallMs: 75, rssMb: 3 }]),
    contender("slow", "peer", [{ wallMs: 1_500, rssMb: 3 }]),
    contender("absent", "peer", [], "needs absent: apt install absent"),
    contender("wc -l", "limit", [{ wallMs: 1.5, rssMb: 2 }]),
  ],
  agreement: "same files",
  at: "2026-01-01T00:00:00Z",
  commit: "0123456789ab",
  load: 0.1,
  command: "npm run bench -- rotate --only small --rounds 3",
};

test("a median has its span, and an even count the middle of two", () => {
  assert.deepEqual(summarise([{ a: 3 }, { a: 1 }, { a: 2 }], "a"), { median: 2, min: 1, max: 3 });
  assert.deepEqual(summarise([{ a: 4 }, { a: 1 }], "a"), { median: 2.5, min: 1, max: 4 });
  assert.equal(summarise([{ a: 4 }], "b"), null);
  const of = (unit: Unit, ...values: number[]) =>
    span(
      summarise(
        values.map((a) => ({ a })),
        "a",
      ),
      { unit },
    );
  assert.equal(of("ms", 2, 1_500), "751 ms (2 ms – 1.50 s)");
  assert.equal(of("ms", 816, 855, 924), "855 ms (816–924)");
  assert.equal(of("count", 1, 2, 3_000), "2 (1–3,000)");
  assert.equal(span(null, { unit: "ms" }), "–");
});

test("what is counted in steps is not called nothing, and nothing is not set in proportion", () => {
  assert.equal(measured(0, CPU), "< 10 ms");
  assert.equal(measured(10, CPU), "10 ms");
  assert.equal(measured(0, WALL), "0 ms");
  assert.equal(comparison(Number.POSITIVE_INFINITY, WALL), "ahead (one is 0)");
  assert.equal(comparison(0, WALL), "behind (one is 0)");
});

test("figures keep three digits that count", () => {
  assert.deepEqual(
    [0.123, 1.234, 9.996, 12.34, 99.96, 123.4, 12_345].map((value) => figure(value, "MB")),
    ["0.12 MB", "1.23 MB", "10.0 MB", "12.3 MB", "100 MB", "123 MB", "12,345 MB"],
  );
  assert.equal(figure(14_708_099, "lines/s"), "14,700,000 lines/s");
  assert.equal(figure(65_535, "count"), "65,535");
});

test("a ratio above 1 is telltale ahead, whichever end of the metric is better", () => {
  const [ours, theirs] = [contender("a", "telltale", [{ x: 2 }]), contender("b", "peer", [{ x: 10 }])];
  assert.equal(ratioOver(ours, theirs, { key: "x", title: "", unit: "ms", better: "less" }), 5);
  assert.equal(ratioOver(ours, theirs, { key: "x", title: "", unit: "MB/s", better: "more" }), 0.2);
  assert.equal(ratioOver(ours, theirs, { key: "x", title: "", unit: "count", better: "neither" }), null);
});

test("nothing at all is infinitely better than something, and as good as nothing", () => {
  const metric = { key: "x", title: "", unit: "count", better: "less" } as const;
  const [none, some] = [contender("a", "telltale", [{ x: 0 }]), contender("b", "peer", [{ x: 3 }])];
  assert.equal(ratioOver(none, some, metric), Number.POSITIVE_INFINITY);
  assert.equal(ratioOver(none, none, metric), 1);
  assert.equal(ratioOver(some, none, metric), 0);
});

test("being behind is said as plainly as being ahead", () => {
  const rows = tableOf(RESULT);
  const comparisons = rows.map((row) => row.at(-2));
  assert.deepEqual(comparisons.slice(1, 4), ["", "2.00× slower", "10× faster"]);
  assert.deepEqual(rows[4], ["absent", "not run: needs absent: apt install absent"]);
  assert.equal(rows[5]![0], "limit: wc -l");
  assert.deepEqual(goalLines(RESULT), [
    "goal: wall 2× better than peer; BEHIND: 0.50×",
    "goal: wall 2× better than slow; reached: 10×",
    "goal: peak memory at most 80 MB; reached: 61 MB",
    "goal: peak memory at most 7 % above peer; BEHIND: 1933.3 %",
    "goal: wall no worse than absent; not measured",
  ]);
});

test("the terminal's table is aligned, and a long reason widens no column", () => {
  const lines = alignColumns(tableOf(RESULT)).split("\n");
  const at = lines[0]!.indexOf("peak memory");
  assert.ok(lines.slice(1, 4).every((line) => line[at - 1] === " " && line[at] !== " "));
});

test("the document names machine, commit and command behind each figure, and keeps bars out of its cells", () => {
  const { name, what, metrics, goals } = RESULT;
  const open = () => ({ contenders: [], [Symbol.dispose]: () => {} });
  const cases = () => [{ name, what, metrics, goals, open }];
  const bench: Bench = { name: "rotate", title: "Rotation", about: "How.", packages: [], cases };
  const record: BenchRecord = {
    bench: "rotate",
    date: "2026-01-01",
    machine: { cpu: "A | B", cores: 2, memoryMb: 24_000, kernel: "6.1" },
    node: "26.0.0",
    versions: { logrotate: "3.21" },
    cases: [RESULT],
  };
  const text = renderDocument([bench], new Map([["rotate", record]]));
  assert.match(text, /2 cores, 24 GB of memory, Linux 6\.1, Node 26\.0\.0; logrotate 3\.21/);
  assert.match(
    text,
    /Measured on 2026-01-01: how<\/summary>\n\n- `npm run bench -- rotate --only small --rounds 3` at commit 0123456789ab/,
  );
  const widths = text
    .slice(text.indexOf("## Rotation"))
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split(" | ").length);
  assert.equal(new Set(widths).size, 1, "rows of one table differ in width");
});
