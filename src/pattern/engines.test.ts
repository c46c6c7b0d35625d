// One table of cases for every engine of the room, and for grep, which is what the table claims to describe.
import assert from "node:assert/strict";
import test from "node:test";
import { BackReferenceMatcher } from "./backref/matcher.ts";
import { overreach } from "./backref/overreach.ts";
import { GAVE_UP, LazyDfa, MATCH } from "./lazy-dfa/dfa.ts";
import { plainLimit } from "./locale/symbols.ts";
import type { Locale } from "./locale/types.ts";
import { AlphabetClasses, cutAlphabet } from "./nfa/classes.ts";
import { buildProgram } from "./nfa/program.ts";
import { Simulation } from "./nfa/simulate.ts";
import { Stepper } from "./nfa/step.ts";
import { compilePatternSet } from "./set.ts";
import { readPattern } from "./syntax/read.ts";
import { SetTable } from "./syntax/set-table.ts";
import { CASES, type Case } from "./testing/cases.ts";
import { grepMissing, judge } from "./testing/grep.ts";

type Engine = (line: Uint8Array) => boolean;

function partsOf(pattern: string, locale: Locale) {
  const sets = new SetTable(locale, false);
  const read = readPattern(Buffer.from(pattern), sets);
  assert.ok(!("fault" in read), `${pattern} is valid`);
  const nodes = read.lines.map(({ node }) => overreach(node, sets));
  const program = buildProgram(nodes.map((node) => ({ number: 0, node })));
  const classes = new AlphabetClasses(cutAlphabet(sets, program.hasWordAssertions));
  return { sets, read, stepper: new Stepper(program, classes, 1) };
}

// Each engine for the patterns it takes; null for the others.
const ENGINES: Readonly<Record<string, (pattern: string, locale: Locale) => Engine | null>> = {
  "the lazy DFA": (pattern, locale) => {
    const { read, stepper } = partsOf(pattern, locale);
    if (read.hasBackReference) return null;
    const dfa = new LazyDfa(stepper, plainLimit(locale), 1 << 20, new Uint8Array(1));
    return (line) => dfa.any(line, 0, line.length) === MATCH;
  },
  "the simulation": (pattern, locale) => {
    const { read, stepper } = partsOf(pattern, locale);
    if (read.hasBackReference) return null;
    const simulation = new Simulation(stepper, plainLimit(locale));
    return (line) => {
      let found = false;
      simulation.run(line, 0, line.length, { found: () => (found = true) });
      return found;
    };
  },
  "the back-reference matcher": (pattern, locale) => {
    const { read, sets } = partsOf(pattern, locale);
    const matchers = read.lines.map(({ node }) => new BackReferenceMatcher(node, sets));
    return (line) => matchers.some((matcher) => matcher.test(line, 0, line.length) === "match");
  },
  "a pattern set": (pattern, locale) => {
    const { set, faults } = compilePatternSet([pattern], { locale });
    assert.deepEqual(faults, []);
    return (line) => set.matches(line);
  },
  "a pattern set inside a larger haystack": (pattern, locale) => {
    const { set } = compilePatternSet([pattern], { locale });
    return (line) => {
      const haystack = Buffer.concat([Buffer.from("a1é\n"), line, Buffer.from("\na1é")]);
      return set.first(haystack, 5, 5 + line.length) === 0;
    };
  },
  "a pattern set among others": (pattern, locale) => {
    const { set } = compilePatternSet(["^never never$", "(", pattern, "zz\\bz"], { locale });
    return (line) => set.all(line).includes(2);
  },
};

function localesOf(one: Case): readonly Locale[] {
  return one.locale === undefined ? ["C", "C.UTF-8"] : [one.locale];
}

const bytesOf = (line: string | readonly number[]) => Buffer.from(line as string);

for (const [name, make] of Object.entries(ENGINES)) {
  test(`${name} answers the table of cases`, () => {
    for (const one of CASES) {
      for (const locale of localesOf(one)) {
        const engine = make(one.pattern, locale);
        if (engine === null) continue;
        for (const line of one.matches) {
          assert.equal(engine(bytesOf(line)), true, `${locale} "${one.pattern}" matches "${line}"`);
        }
        for (const line of one.differs) {
          assert.equal(engine(bytesOf(line)), false, `${locale} "${one.pattern}" does not match "${line}"`);
        }
      }
    }
  });
}

test("grep answers the table of cases the same way", (t) => {
  if (grepMissing !== null) return t.skip(grepMissing);
  for (const one of CASES) {
    for (const locale of localesOf(one)) {
      const lines = [...one.matches, ...one.differs].map(bytesOf);
      const said = judge([Buffer.from(one.pattern)], lines, { locale });
      const want = { matching: new Set(one.matches.keys()) };
      assert.deepEqual(said, want, `${locale} "${one.pattern}"`);
    }
  }
});

test("an automaton whose states do not fit its cache gives the simulation's answers", () => {
  // 2^11 deterministic states, on lines that visit them in no useful order.
  const { stepper } = partsOf("(a|b)*a(a|b){10}$", "C");
  const dfa = new LazyDfa(stepper, 0xff, 4096, new Uint8Array(1));
  const simulation = new Simulation(stepper, 0xff);
  let seed = 1;
  let gaveUp = 0;
  for (let line = 0; line < 300; line++) {
    const bytes = Uint8Array.from({ length: 60 }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return 0x61 + ((seed >>> 16) & 1);
    });
    let want = false;
    simulation.run(bytes, 0, bytes.length, { found: () => (want = true) });
    const answer = dfa.any(bytes, 0, bytes.length);
    if (answer === GAVE_UP) gaveUp++;
    else assert.equal(answer === MATCH, want);
  }
  assert.ok(dfa.flushes > 0, "the cache was too small");
  assert.ok(gaveUp > 0, "it gave up rather than build states for ever");
  assert.ok(dfa.states <= 64, `${dfa.states} states`);
});
