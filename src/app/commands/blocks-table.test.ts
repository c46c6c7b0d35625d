import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type BlockShown, blocksTable } from "./blocks-table.ts";

const NOW = new Date("2026-11-23T08:00:00Z");
const BLOCK: BlockShown = {
  target: "192.0.2.7",
  since: "2026-11-23T07:58:00.000Z",
  until: "2026-11-23T08:10:00.000Z",
  because: "4 of 4 first contacts failed, ratio 256 over 99",
  grade: "spoofable",
  packetsStopped: 1_234,
  timesBefore: 2,
};

const titles = (head: string) => head.split(/ +/);

test("where there is no terminal every column is there and nothing is cut", () => {
  const table = blocksTable(15, null, NOW);
  assert.deepEqual(titles(table.head), [
    "ADDRESS",
    "SINCE",
    "UNTIL",
    "LEFT",
    "STOPPED",
    "EVIDENCE",
    "BEFORE",
    "WHY",
  ]);
  const because = "x".repeat(500);
  assert.match(table.row({ ...BLOCK, because }), / 10m +1,234 {2}spoofable {7}2 {2}x{500}$/);
  assert.equal(table.isShortened(), false);
});

test("a narrow terminal gets short times and fewer columns, and is told of what it does not see", () => {
  const wide = blocksTable(15, 150, NOW);
  assert.match(wide.row(BLOCK), /ratio 256 over 99$/);
  assert.equal(wide.isShortened(), false);
  assert.match(wide.row({ ...BLOCK, because: "x".repeat(80) }), /x…$/);
  assert.equal(wide.isShortened(), true, "a reason was cut");

  const hundred = blocksTable(15, 100, NOW);
  assert.deepEqual(titles(hundred.head), [
    "ADDRESS",
    "SINCE",
    "UNTIL",
    "STOPPED",
    "EVIDENCE",
    "BEFORE",
    "WHY",
  ]);
  assert.equal(hundred.isShortened(), true);
  const eighty = blocksTable(15, 80, NOW);
  assert.deepEqual(titles(eighty.head), ["ADDRESS", "UNTIL", "STOPPED", "EVIDENCE", "BEFORE", "WHY"]);
  assert.match(eighty.row({ ...BLOCK, until: "2027-11-20T00:00:00.000Z" }), /^192\.0\.2\.7 +2027-11-\d\d /);
  const long = blocksTable("2001:db8:1111:2222:3333:4444:5555:6666/127".length, 80, NOW);
  assert.deepEqual(titles(long.head), ["ADDRESS", "UNTIL", "STOPPED", "WHY"]);
});

test("counts of any size keep their column", () => {
  const table = blocksTable(15, null, NOW);
  const shown = (packetsStopped: number) =>
    /m {5} *(\S+) {2}spoofable/.exec(table.row({ ...BLOCK, packetsStopped }))?.[1];
  assert.equal(shown(0), "0");
  assert.equal(shown(999_999), "999,999");
  assert.equal(shown(1_000_000), "1.0M");
  assert.equal(shown(1_999_999), "1.9M");
  assert.equal(shown(999_999_999), "999.9M");
  assert.equal(shown(Number.MAX_SAFE_INTEGER), "9.0P");
});

test("a slowed down source is called so, and no reason writes to the terminal", () => {
  const table = blocksTable(15, null, NOW);
  assert.match(table.row({ ...BLOCK, throttled: true }), / slowed down: 4 of 4/);
  assert.ok(!table.row({ ...BLOCK, because: "\u001b[2J\n\u202e" }).match(/[\u001b\n\u202e]/));
});

test("whatever is shown is aligned, and no line is longer than a terminal of 56 columns or more", () => {
  const day = fc.date({
    min: new Date("2020-01-01"),
    max: new Date("2030-01-01"),
    noInvalidDate: true,
  });
  const block = fc.record({
    target: fc.constantFrom("1.2.3.4", "255.255.255.255", "2001:db8::/64"),
    since: day.map((at) => at.toISOString()),
    until: day.map((at) => at.toISOString()),
    because: fc.string({ unit: "binary", maxLength: 300 }),
    grade: fc.constantFrom("proven", "spoofable"),
    packetsStopped: fc.maxSafeNat(),
    timesBefore: fc.nat({ max: 999_999 }),
    throttled: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(block, { maxLength: 5 }),
      fc.option(fc.integer({ min: 56, max: 300 })),
      (blocks, width) => {
        const table = blocksTable(15, width, NOW);
        const why = table.head.indexOf("WHY");
        for (const each of blocks) {
          const row = table.row(each);
          if (width !== null) assert.ok(row.length <= width, row);
          assert.equal(row.slice(why - 2, why).trim(), "", row);
          assert.match(row.slice(0, 17), /^\S+ +$/);
        }
      },
    ),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});
