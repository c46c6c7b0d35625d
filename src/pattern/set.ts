// The room's front door: many patterns, one question per line. Chooses the engine: the lazy DFA for every pattern,
// the simulation where the DFA gives up, and the back-reference matcher to confirm what the DFA can only suspect.
import { BackReferenceMatcher } from "./backref/matcher.ts";
import { overreach } from "./backref/overreach.ts";
import { GAVE_UP, LazyDfa, MATCH, NO_MATCH } from "./lazy-dfa/dfa.ts";
import { plainLimit } from "./locale/symbols.ts";
import type { Locale } from "./locale/types.ts";
import { AlphabetClasses } from "./nfa/classes.ts";
import { buildProgram, countStates, type Member } from "./nfa/program.ts";
import { Simulation } from "./nfa/simulate.ts";
import { Stepper } from "./nfa/step.ts";
import { type PatternLine, readPattern } from "./syntax/read.ts";
import { SetTable } from "./syntax/set-table.ts";

export type { Locale } from "./locale/types.ts";

/** A pattern that was left out of the set. `index` is the pattern's; `position` is a byte offset in it. */
export type PatternFault = { index: number; position: number; reason: string; mend: string };

export type PatternSetOptions = {
  /** Default `C.UTF-8`. */
  locale?: Locale;
  /** As `grep -i`. */
  ignoreCase?: boolean;
  /** What the lazy DFA may hold, in bytes; default 16 MiB. */
  cacheBytes?: number;
};

export interface PatternSet {
  /** How many patterns were given, the faulty ones included. */
  readonly size: number;
  /** Whether any pattern matches somewhere in `haystack[start, end)`, taken as one line. */
  matches(haystack: Uint8Array, start?: number, end?: number): boolean;
  /** The lowest index of a pattern that matches, or -1. */
  first(haystack: Uint8Array, start?: number, end?: number): number;
  /** The index of every pattern that matches, ascending. */
  all(haystack: Uint8Array, start?: number, end?: number): number[];
  /**
   * DFA states held, the bytes they take, how often the cache was dropped, and how often an engine gave up: the DFA
   * on a line (which the simulation then decides), or the back-reference matcher (which then says "no match").
   */
  stats(): { states: number; cacheBytes: number; flushes: number; gaveUp: number };
}

const CACHE_BYTES = 16 << 20;

// One pattern of 100,000 states is already 50 times the largest rule Debian ships; the whole set may have 40 such.
const PATTERN_STATES_MAX = 100_000;
const SET_STATES_MAX = 4_000_000;

/**
 * Compiles POSIX extended regular expressions as GNU grep -E reads them. A pattern that holds newlines is several
 * patterns with one index, as for grep. Faulty patterns are left out and named.
 */
export function compilePatternSet(
  patterns: readonly (string | Uint8Array)[],
  options: PatternSetOptions = {},
): { set: PatternSet; faults: readonly PatternFault[] } {
  const locale = options.locale ?? "C.UTF-8";
  const sets = new SetTable(locale, options.ignoreCase ?? false);
  const faults: PatternFault[] = [];
  const members: Member[] = [];
  const confirm = new Map<number, readonly PatternLine[]>();
  let states = 0;
  patterns.forEach((pattern, index) => {
    const bytes = typeof pattern === "string" ? encoder.encode(pattern) : pattern;
    const read = readPattern(bytes, sets);
    if ("fault" in read) {
      faults.push({ index, ...read.fault });
      return;
    }
    const nodes = read.lines.map(({ node }) => (read.hasBackReference ? overreach(node, sets) : node));
    const size = nodes.reduce((sum, node) => sum + countStates(node, PATTERN_STATES_MAX), 0);
    if (size > PATTERN_STATES_MAX || states + size > SET_STATES_MAX) {
      faults.push({ index, position: 0, ...tooLarge(size) });
      return;
    }
    states += size;
    for (const node of nodes) members.push({ number: index, node });
    if (read.hasBackReference || read.lines.some(({ filter }) => filter !== null)) {
      confirm.set(index, read.lines);
    }
  });
  const set = new CompiledSet(patterns.length, members, confirm, sets, options.cacheBytes ?? CACHE_BYTES);
  return { set, faults };
}

/**
 * An extended regular expression that matches exactly `text`.
 * @throws RangeError when the text holds a newline, which no single line can hold
 */
export function escapePattern(text: string): string {
  if (text.includes("\n"))
    throw new RangeError("a pattern matches within one line: the text holds a newline");
  return text.replace(/[\\^$.[|()*+?{]/g, "\\$&");
}

const encoder = new TextEncoder();

function tooLarge(size: number): { reason: string; mend: string } {
  return size > PATTERN_STATES_MAX
    ? {
        reason: `Regular expression too big: repeats multiply it to more than ${PATTERN_STATES_MAX} states`,
        mend: "lower the repeat counts, or use * or + instead",
      }
    : {
        reason: `the patterns before this one fill the set's ${SET_STATES_MAX} states`,
        mend: "remove large repeats from the set, or split it",
      };
}

class CompiledSet implements PatternSet {
  readonly size: number;
  readonly #dfa: LazyDfa;
  readonly #simulation: Simulation;
  readonly #confirm: ReadonlyMap<number, readonly PatternLine[]>;
  readonly #matchers = new Map<number, BackReferenceMatcher[][]>();
  readonly #sets: SetTable;
  readonly #unsure: Uint8Array;
  // seen[pattern] === round: met in the present call.
  readonly #seen: Int32Array;
  #round = 0;
  #undecided = 0;

  constructor(
    size: number,
    members: readonly Member[],
    confirm: ReadonlyMap<number, readonly PatternLine[]>,
    sets: SetTable,
    cacheBytes: number,
  ) {
    this.size = size;
    this.#sets = sets;
    this.#confirm = confirm;
    this.#unsure = new Uint8Array(size);
    for (const index of confirm.keys()) this.#unsure[index] = 1;
    this.#seen = new Int32Array(size);
    const program = buildProgram(members);
    const classes = new AlphabetClasses(sets.ranges, sets.edgeRanges(), program.hasWordAssertions);
    const stepper = new Stepper(program, classes, size);
    const plain = plainLimit(sets.locale);
    this.#dfa = new LazyDfa(stepper, plain, cacheBytes, this.#unsure);
    this.#simulation = new Simulation(stepper, plain);
  }

  matches(haystack: Uint8Array, start = 0, end = haystack.length): boolean {
    const answer = this.#dfa.any(haystack, start, end);
    if (answer === MATCH) return true;
    if (answer === NO_MATCH) return false;
    if (answer === GAVE_UP) {
      let matched = false;
      this.#round++;
      this.#simulation.run(haystack, start, end, (pattern) => {
        matched = this.#isNew(pattern) && this.#isConfirmed(pattern, haystack, start, end);
        return matched;
      });
      return matched;
    }
    return this.#candidates(haystack, start, end).some((index) =>
      this.#isConfirmed(index, haystack, start, end),
    );
  }

  first(haystack: Uint8Array, start = 0, end = haystack.length): number {
    this.#round++;
    let best = -1;
    const consider = (pattern: number) => {
      if (best >= 0 && pattern >= best) return;
      if (this.#isNew(pattern) && this.#isConfirmed(pattern, haystack, start, end)) best = pattern;
    };
    const decided = this.#dfa.each(
      haystack,
      start,
      end,
      (patterns) => patterns.forEach(consider),
      (lowestAhead) => best >= 0 && best <= lowestAhead,
    );
    if (!decided) {
      this.#simulation.run(haystack, start, end, (pattern) => {
        consider(pattern);
        return best === 0;
      });
    }
    return best;
  }

  all(haystack: Uint8Array, start = 0, end = haystack.length): number[] {
    return this.#candidates(haystack, start, end).filter((index) =>
      this.#isConfirmed(index, haystack, start, end),
    );
  }

  stats(): { states: number; cacheBytes: number; flushes: number; gaveUp: number } {
    const { states, cacheBytes, flushes, gaveUp } = this.#dfa;
    return { states, cacheBytes, flushes, gaveUp: gaveUp + this.#undecided };
  }

  // Every pattern that the automaton accepts, ascending; those with back-references are not confirmed yet.
  #candidates(haystack: Uint8Array, start: number, end: number): number[] {
    this.#round++;
    const out: number[] = [];
    const consider = (pattern: number) => {
      if (this.#isNew(pattern)) out.push(pattern);
      return false;
    };
    const never = () => false;
    const decided = this.#dfa.each(haystack, start, end, (patterns) => patterns.forEach(consider), never);
    if (!decided) this.#simulation.run(haystack, start, end, consider);
    return out.sort((a, b) => a - b);
  }

  #isNew(pattern: number): boolean {
    if (this.#seen[pattern] === this.#round) return false;
    this.#seen[pattern] = this.#round;
    return true;
  }

  #isConfirmed(index: number, haystack: Uint8Array, start: number, end: number): boolean {
    if (this.#unsure[index] === 0) return true;
    let ways = this.#matchers.get(index);
    if (ways === undefined) {
      ways = this.#confirm.get(index)!.map(({ node, filter }) => {
        const nodes = filter === null ? [node] : [filter, node];
        return nodes.map((each) => new BackReferenceMatcher(each, this.#sets));
      });
      this.#matchers.set(index, ways);
    }
    return ways.some((way) =>
      way.every((matcher) => {
        const verdict = matcher.test(haystack, start, end);
        if (verdict === "undecided") this.#undecided++;
        return verdict === "match";
      }),
    );
  }
}
