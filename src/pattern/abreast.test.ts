// Lines that are asked about together get the answers that they get one by one, whatever becomes of the automaton meanwhile.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { compilePatternSet, type Lines } from "./set.ts";
import { backReferenceArbitrary, lineArbitrary, patternArbitrary } from "./testing/arbitrary.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 300);

// The lines in one haystack, with bytes between them that belong to none.
function inOneHaystack(given: readonly Buffer[]): { haystack: Buffer; lines: Lines } {
  const parts: Buffer[] = [];
  const starts = new Int32Array(given.length);
  const ends = new Int32Array(given.length);
  let at = 0;
  given.forEach((line, i) => {
    starts[i] = at;
    ends[i] = at + line.length;
    parts.push(line, Buffer.from(" \n"));
    at += line.length + 2;
  });
  return { haystack: Buffer.concat(parts), lines: { starts, ends, count: given.length } };
}

test("lines together are matched as lines alone, also when the cache is small", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 6, arbitrary: patternArbitrary }, backReferenceArbitrary), {
        maxLength: 4,
      }),
      fc.array(lineArbitrary, { maxLength: 12 }),
      fc.constantFrom("C" as const, "C.UTF-8" as const),
      fc.constantFrom(1_500, 1 << 20),
      (patterns, given, locale, cacheBytes) => {
        const { set } = compilePatternSet(patterns, { locale, cacheBytes });
        const { haystack, lines } = inOneHaystack(given);
        const alone = given.map((line) => compilePatternSet(patterns, { locale }).set.first(line));
        const into = new Int32Array(given.length + 1).fill(7);
        // The second time, every state is known.
        for (let round = 0; round < 2; round++) {
          set.firstOfEach(haystack, lines, into);
          assert.deepEqual([...into], [...alone, 7]);
          assert.deepEqual(
            given.map((line) => set.first(line)),
            alone,
          );
        }
      },
    ),
    { numRuns: RUNS },
  );
});

test("lines together are matched as lines alone when the automaton explodes and gives up", () => {
  const { set } = compilePatternSet(["(a|b)*a(a|b){12}c", "never"], { locale: "C", cacheBytes: 64 << 10 });
  let seed = 7;
  const given = Array.from({ length: 400 }, () =>
    Buffer.from(
      `${Array.from({ length: 100 }, () => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return (seed >>> 16) & 1 ? "a" : "b";
      }).join("")}c`,
    ),
  );
  const { haystack, lines } = inOneHaystack(given);
  const into = new Int32Array(given.length);
  set.firstOfEach(haystack, lines, into);
  given.forEach((line, i) => {
    assert.equal(into[i], line[87] === 0x61 ? 0 : -1, String(line));
  });
  assert.ok(set.stats().flushes > 0);
});

test("a line longer than a stretch, beside short and empty ones, is walked to its end", () => {
  const { set } = compilePatternSet(["^a*b$", "^$", "^x", "é$"]);
  const words = ["", "x", `${"a".repeat(500)}b`, "", "y", `${"a".repeat(64)}b`, `y${"z".repeat(300)}é`, "b"];
  const { haystack, lines } = inOneHaystack(words.map((word) => Buffer.from(word)));
  const into = new Int32Array(words.length);
  for (let round = 0; round < 2; round++) {
    set.firstOfEach(haystack, lines, into);
    assert.deepEqual([...into], [1, 2, 0, 1, -1, 0, 3, 0]);
  }
});
