// Held against sort(1), with everything in memory and with nearly everything on disk.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { type LineOrder, SortedLines } from "./sortedlines.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 40);

const field = fc.constantFrom("Nov", "Dec", "a", "b", "é", "\xff", "\0", "10", "9", "");
const blank = fc.constantFrom(" ", " ", "  ", "\t", "\r");
const line = fc
  .array(fc.tuple(field, blank), { maxLength: 6 })
  .map((parts) => parts.map(([word, gap]) => word + gap).join(""));
const lines = fc.array(
  line.map((text) => Buffer.from(text, "latin1")),
  { maxLength: 60 },
);

function sorted(given: readonly Buffer[], order: LineOrder, budgetBytes: number, dir: string): string[] {
  using store = new SortedLines({ order, budgetBytes, spillDir: () => dir });
  for (const bytes of given) {
    store.add(3, bytes, 0, bytes.length, 1);
    store.add(4, bytes, 0, bytes.length);
  }
  const out: string[] = [];
  store.visit(3, (bytes, start, end, mark) => {
    assert.equal(mark, 1);
    out.push(Buffer.from(bytes.subarray(start, end)).toString("latin1"));
  });
  // A section without marks tells the same, and so does its text.
  const visited: string[] = [];
  store.visit(4, (bytes, start, end) =>
    visited.push(Buffer.from(bytes.subarray(start, end)).toString("latin1")),
  );
  assert.deepEqual(visited, out);
  const poured: Buffer[] = [];
  store.pour(4, (bytes, start, end) => poured.push(Buffer.from(bytes.subarray(start, end))));
  assert.equal(Buffer.concat(poured).toString("latin1"), out.map((text) => `${text}\n`).join(""));
  return out;
}

test("orders lines as sort -k 1,3 -s and sort -u do, whatever fits in memory", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-sort-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  fc.assert(
    fc.property(
      lines,
      fc.constantFrom<LineOrder>("lines", "fields"),
      fc.constantFrom("C", "C.UTF-8"),
      (given, order, locale) => {
        const input = Buffer.concat(given.flatMap((bytes) => [bytes, Buffer.from("\n")]));
        const real = spawnSync("sort", order === "lines" ? ["-u"] : ["-k", "1,3", "-s"], {
          input,
          env: { PATH: process.env["PATH"], LC_ALL: locale },
        });
        const want = real.stdout.toString("latin1").split("\n").slice(0, -1);
        assert.deepEqual(sorted(given, order, 1 << 20, dir), want);
        assert.deepEqual(sorted(given, order, 100, dir), want);
        assert.deepEqual(readdirSync(dir), []);
      },
    ),
    { numRuns: RUNS },
  );
});

test("keeps the order of arrival when asked to, whatever fits in memory", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-sort-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  fc.assert(
    fc.property(lines, fc.constantFrom(100, 1 << 20), (given, budgetBytes) => {
      const want = given.map((bytes) => bytes.toString("latin1"));
      assert.deepEqual(sorted(given, "arrival", budgetBytes, dir), want);
      assert.deepEqual(readdirSync(dir), []);
    }),
    { numRuns: RUNS },
  );
});

test("lines that come in order stay so through memory and disk, and one that does not finds its place", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-sort-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const given = Array.from({ length: 5_000 }, (_, i) => {
    const second = String(Math.floor(i / 7)).padStart(4, "0");
    return Buffer.from(`Nov 22 ${second} line ${i}`);
  });
  const want = given.map(String);
  for (const budgetBytes of [3_000, 1 << 20]) {
    assert.deepEqual(sorted(given, "fields", budgetBytes, dir), want);
    for (const at of [0, 40, 2_500, 4_999]) {
      const late = [...given.slice(0, at), ...given.slice(at + 1), given[at]!];
      const stable = at - (at % 7) + 6 < 5_000 ? at - (at % 7) + 6 : 4_999;
      const expected = [...want.slice(0, at), ...want.slice(at + 1)];
      expected.splice(stable, 0, want[at]!);
      assert.deepEqual(sorted(late, "fields", budgetBytes, dir), expected);
    }
  }
});

test("sections keep to themselves when they share memory and runs", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-sort-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  using store = new SortedLines({ order: "fields", budgetBytes: 2_000, spillDir: () => dir });
  for (let i = 0; i < 1_000; i++) {
    const bytes = Buffer.from(`${String((i * 7_919) % 1_000).padStart(4, "0")} line`);
    store.add(i % 3, bytes, 0, bytes.length, i % 2);
  }
  assert.ok(readdirSync(dir).length > 10);
  for (const section of [0, 1, 2, 5]) {
    const seen: string[] = [];
    store.visit(section, (bytes, start, end) =>
      seen.push(Buffer.from(bytes.subarray(start, end)).toString()),
    );
    assert.equal(seen.length, [334, 333, 333][section] ?? 0);
    assert.deepEqual(seen, [...seen].sort());
  }
});

test("a line larger than every buffer comes back whole", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-sort-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const long = Buffer.alloc(700_000, "x");
  assert.deepEqual(
    sorted([long, Buffer.from("a"), long, Buffer.from("y")], "fields", 1_000, dir).map((text) => text.length),
    [1, 700_000, 700_000, 1],
  );
});
