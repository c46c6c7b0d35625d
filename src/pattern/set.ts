// The room's front door: many patterns, one question per line. Chooses the engine: the lazy DFA for every pattern,
// the simulation where the DFA gives up, and the back-reference matcher to confirm what the DFA can only suspect.
import { BackReferenceMatcher } from "./backref/matcher.ts";
import { overreach } from "./backref/overreach.ts";
import { LazyDfa, MATCH, NO_MATCH } from "./lazy-dfa/dfa.ts";
import { plainLimit } from "./locale/symbols.ts";
import type { Locale } from "./locale/types.ts";
import { AlphabetClasses } from "./nfa/classes.ts";
import type { MatchListener } from "./nfa/listener.ts";
import { buildProgram, countStates, type Member } from "./nfa/program.ts";
import { Simulation } from "./nfa/simulate.ts";
import { Stepper } from "./nfa/step.ts";
import { Trail } from "./syntax/parse.ts";
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

// One pattern of 100,000 states is 130 times the largest that Debian ships for logcheck; a set may have 20 such.
const PATTERN_STATES_MAX = 100_000;
const SET_STATES_MAX = 2_000_000;

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
  const trail = new Trail();
  let states = 0;
  patterns.forEach((pattern, index) => {
    const bytes = typeof pattern === "string" ? encoder.encode(pattern) : pattern;
    const read = readPattern(bytes, sets, trail);
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
  readonly #lowest: LowestMatch;
  readonly #every: EveryMatch;
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
    this.#lowest = new LowestMatch((...line) => this.#isConfirmed(...line));
    this.#every = new EveryMatch(size);
    const program = buildProgram(members);
    const classes = new AlphabetClasses(sets, program.hasWordAssertions);
    const stepper = new Stepper(program, classes, size);
    const plain = plainLimit(sets.locale);
    this.#dfa = new LazyDfa(stepper, plain, cacheBytes, this.#unsure);
    this.#simulation = new Simulation(stepper, plain);
  }

  matches(haystack: Uint8Array, start = 0, end = haystack.length): boolean {
    const answer = this.#dfa.any(haystack, start, end);
    if (answer === MATCH) return true;
    if (answer === NO_MATCH) return false;
    const search = this.#lowest;
    search.begin(haystack, start, end, true);
    this.#run(haystack, start, end, search);
    return search.best >= 0;
  }

  first(haystack: Uint8Array, start = 0, end = haystack.length): number {
    const search = this.#lowest;
    search.begin(haystack, start, end, false);
    this.#run(haystack, start, end, search);
    return search.best;
  }

  all(haystack: Uint8Array, start = 0, end = haystack.length): number[] {
    const search = this.#every;
    search.begin();
    this.#run(haystack, start, end, search);
    const confirmed = (index: number) => this.#isConfirmed(index, haystack, start, end);
    return search.patterns.filter(confirmed).sort((a, b) => a - b);
  }

  stats(): { states: number; cacheBytes: number; flushes: number; gaveUp: number } {
    const { states, cacheBytes, flushes, gaveUp } = this.#dfa;
    return { states, cacheBytes, flushes, gaveUp: gaveUp + this.#undecided };
  }

  #run(haystack: Uint8Array, start: number, end: number, listener: MatchListener): void {
    if (this.#dfa.each(haystack, start, end, listener)) return;
    this.#simulation.run(haystack, start, end, listener);
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

// Keeps the lowest pattern that matches a line. One object for all lines: a set is asked millions of times.
class LowestMatch implements MatchListener {
  best = -1;
  readonly #isConfirmed: (pattern: number, haystack: Uint8Array, start: number, end: number) => boolean;
  #haystack: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #anyWill = false;
  // Patterns that did not stand up to confirmation on this line, so that none is asked twice.
  readonly #refuted = new Set<number>();

  constructor(isConfirmed: (pattern: number, haystack: Uint8Array, start: number, end: number) => boolean) {
    this.#isConfirmed = isConfirmed;
  }

  /** @param anyWill the first match found ends the walk, lowest or not */
  begin(haystack: Uint8Array, start: number, end: number, anyWill: boolean): void {
    this.best = -1;
    this.#anyWill = anyWill;
    this.#haystack = haystack;
    this.#start = start;
    this.#end = end;
    if (this.#refuted.size > 0) this.#refuted.clear();
  }

  found(patterns: ArrayLike<number>, lowestAhead: number): boolean {
    for (let i = 0; i < patterns.length; i++) {
      const pattern = patterns[i]!;
      if ((this.best >= 0 && pattern >= this.best) || this.#refuted.has(pattern)) continue;
      if (this.#isConfirmed(pattern, this.#haystack, this.#start, this.#end)) this.best = pattern;
      else this.#refuted.add(pattern);
    }
    return this.best >= 0 && (this.#anyWill || this.best <= lowestAhead);
  }
}

// Collects every pattern that the automaton accepts on a line, each once, in no order.
class EveryMatch implements MatchListener {
  patterns: number[] = [];
  // seen[pattern] === round: met in the present line.
  readonly #seen: Int32Array;
  #round = 0;

  constructor(size: number) {
    this.#seen = new Int32Array(size);
  }

  begin(): void {
    this.patterns = [];
    this.#round++;
  }

  found(patterns: ArrayLike<number>): boolean {
    for (let i = 0; i < patterns.length; i++) {
      const pattern = patterns[i]!;
      if (this.#seen[pattern] === this.#round) continue;
      this.#seen[pattern] = this.#round;
      this.patterns.push(pattern);
    }
    return false;
  }
}
