// Two beginnings that are said to lead alike must lead alike, whatever follows.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { compilePatternSet } from "./set.ts";
import { backReferenceArbitrary, lineArbitrary, patternArbitrary } from "./testing/arbitrary.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 300);

test("beginnings that lead alike are matched alike, whatever follows, also when the cache is small", () => {
  let alike = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          { weight: 4, arbitrary: patternArbitrary },
          { weight: 1, arbitrary: backReferenceArbitrary },
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      lineArbitrary,
      lineArbitrary,
      fc.array(lineArbitrary, { minLength: 3, maxLength: 12 }),
      fc.constantFrom("C" as const, "C.UTF-8" as const),
      fc.constantFrom(1_500, 1 << 20),
      (patterns, one, other, tails, locale, cacheBytes) => {
        const { set } = compilePatternSet(patterns, { locale, cacheBytes });
        // Inside a larger buffer, as lines are.
        const both = Buffer.concat([Buffer.from("x"), one, other, Buffer.from("x")]);
        const middle = 1 + one.length;
        if (!set.leadAlike(both, 1, middle, both, middle, middle + other.length)) return;
        alike++;
        for (const tail of tails) {
          // A tail that completes a character of the beginning is not what follows it.
          if (locale === "C.UTF-8" && (tail[0] ?? 0) > 0x7f) continue;
          assert.deepEqual(set.all(Buffer.concat([one, tail])), set.all(Buffer.concat([other, tail])));
        }
      },
    ),
    { numRuns: RUNS },
  );
  assert.ok(alike > RUNS / 50, `only ${alike} of ${RUNS} beginnings led alike`);
});

test("timestamps lead alike where rules take both or none, and not where one takes one", () => {
  const one = Buffer.from("Nov 22 19:51:02");
  const other = Buffer.from("2000-11-22T19:51:02.000000+00:00");
  const ask = (patterns: string[]) =>
    compilePatternSet(patterns).set.leadAlike(one, 0, one.length, other, 0, other.length);
  assert.equal(ask(["kernel: odd", "refused$"]), true);
  assert.equal(ask(["^([[:alpha:]]{3} [ :[:digit:]]{11}|[0-9T:.+-]{32}) host"]), true);
  assert.equal(ask(["^[[:alpha:]]{3} [ :[:digit:]]{11} host"]), false);
  assert.equal(ask(["^Nov"]), false);
  assert.equal(ask(["(.).*\\1\\1\\1"]), false);
});
