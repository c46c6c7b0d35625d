// A set that was saved answers as the one that saved it, and bytes that are not of this very set are not used.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { compilePatternSet, type PatternSet, patternSetKey } from "../set.ts";
import { backReferenceArbitrary, lineArbitrary, patternArbitrary } from "../testing/arbitrary.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 100);

const answers = (set: PatternSet, line: Uint8Array) => [set.matches(line), set.first(line), set.all(line)];

test("a saved set gives the answers of the set that saved it, on lines it has seen and on others", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(patternArbitrary, backReferenceArbitrary), { minLength: 1, maxLength: 8 }),
      fc.array(lineArbitrary, { maxLength: 10 }),
      fc.array(lineArbitrary, { maxLength: 10 }),
      fc.constantFrom("C" as const, "C.UTF-8" as const),
      fc.boolean(),
      fc.constantFrom(2_000, 1 << 20),
      (patterns, seen, others, locale, ignoreCase, cacheBytes) => {
        const options = { locale, ignoreCase, cacheBytes };
        const fresh = compilePatternSet(patterns, options);
        for (const line of seen) answers(fresh.set, line);
        const saved = fresh.set.save();
        const again = compilePatternSet(patterns, { ...options, saved });
        assert.deepEqual(again.faults, fresh.faults);
        if (fresh.set.stats().flushes === 0) {
          assert.equal(again.set.stats().states, fresh.set.stats().states, "its states are known");
        }
        for (const line of [...others, ...seen]) {
          assert.deepEqual(answers(again.set, line), answers(fresh.set, line));
        }
        const once = compilePatternSet(patterns, { ...options, saved: again.set.save() }).set;
        for (const line of seen) assert.deepEqual(answers(once, line), answers(fresh.set, line));
      },
    ),
    { numRuns: RUNS },
  );
});

test("a set saved for other patterns, another locale or other options is not used", () => {
  const saved = compilePatternSet(["a", "b"], { locale: "C" }).set.save();
  const lines = ["a", "b", "c", "A", "é"].map((text) => Buffer.from(text));
  for (const [patterns, options] of [
    [["a", "c"], { locale: "C" }],
    [["ab"], { locale: "C" }],
    [["b", "a"], { locale: "C" }],
    [["a", "b"], { locale: "C.UTF-8" }],
    [["a", "b"], { locale: "C", ignoreCase: true }],
  ] as const) {
    const plain = compilePatternSet(patterns, options).set;
    const given = compilePatternSet(patterns, { ...options, saved }).set;
    for (const line of lines) assert.deepEqual(answers(given, line), answers(plain, line));
    const bytes = patterns.map((pattern) => Buffer.from(pattern));
    assert.notEqual(
      patternSetKey(bytes, options),
      patternSetKey([Buffer.from("a"), Buffer.from("b")], { locale: "C" }),
    );
  }
});

test("bytes that are no saved set are not used", () => {
  const saved = compilePatternSet(["a+b"]).set.save();
  const broken = [
    new Uint8Array(0),
    new Uint8Array(64),
    saved.subarray(0, 20),
    saved.subarray(0, saved.length - 9),
  ];
  for (const bytes of broken) {
    const { set } = compilePatternSet(["a+b"], { saved: bytes });
    assert.equal(set.matches(Buffer.from("xaab")), true);
    assert.equal(set.matches(Buffer.from("xb")), false);
  }
  // Wherever it lies in memory.
  const shifted = new Uint8Array(saved.length + 3);
  shifted.set(saved, 3);
  assert.equal(compilePatternSet(["a+b"], { saved: shifted.subarray(3) }).set.first(Buffer.from("ab")), 0);
});
