// A compiled set answering: the lazy DFA for every pattern, the simulation where the DFA gives up, and the
// back-reference matcher to confirm what the DFA can only suspect.
import { BackReferenceMatcher } from "./backref/matcher.ts";
import { type CompiledForm, originOf, writeForm } from "./compiled/form.ts";
import type { Lines } from "./lazy-dfa/abreast.ts";
import { UNSURE } from "./lazy-dfa/cache.ts";
import { LazyDfa, MATCH, NO_MATCH } from "./lazy-dfa/dfa.ts";
import { plainLimit } from "./locale/symbols.ts";
import { AlphabetClasses } from "./nfa/classes.ts";
import type { MatchListener } from "./nfa/listener.ts";
import { Simulation } from "./nfa/simulate.ts";
import { Stepper } from "./nfa/step.ts";
import type { PatternSet, PatternSetOptions } from "./set.ts";
import { readPattern } from "./syntax/read.ts";
import { SetTable } from "./syntax/set-table.ts";

const CACHE_BYTES = 16 << 20;

// Lines decide how many states there are, and strangers write lines: more than this is not worth reading back. A week
// of a busy server's lines leads to about 1 MB of states.
const SAVED_STATES_MAX_BYTES = 4 << 20;

/** The patterns that were asked for, beside what they became. */
export type SetSource = {
  readonly patterns: readonly Uint8Array[];
  readonly options: PatternSetOptions;
  readonly form: CompiledForm;
};

export class CompiledSet implements PatternSet {
  readonly size: number;
  readonly #source: SetSource;
  readonly #dfa: LazyDfa;
  readonly #simulation: Simulation;
  readonly #matchers = new Map<number, BackReferenceMatcher[][]>();
  readonly #sets: SetTable;
  readonly #unsure: Uint8Array;
  readonly #lowest: LowestMatch;
  readonly #every: EveryMatch;
  #undecided = 0;

  constructor(source: SetSource) {
    const { patterns, options, form } = source;
    const locale = options.locale ?? "C.UTF-8";
    this.size = patterns.length;
    this.#source = source;
    this.#sets = new SetTable(locale, options.ignoreCase ?? false);
    this.#unsure = new Uint8Array(this.size);
    for (const index of form.unsure) this.#unsure[index] = 1;
    this.#lowest = new LowestMatch((...line) => this.#isConfirmed(...line));
    this.#every = new EveryMatch(this.size);
    const stepper = new Stepper(form.program, new AlphabetClasses(form.classes), this.size);
    const plain = plainLimit(locale);
    const cacheBytes = options.cacheBytes ?? CACHE_BYTES;
    this.#dfa = new LazyDfa(stepper, plain, cacheBytes, this.#unsure, form.snapshot);
    this.#simulation = new Simulation(stepper, plain);
  }

  leadAlike(
    one: Uint8Array,
    oneStart: number,
    oneEnd: number,
    other: Uint8Array,
    otherStart: number,
    otherEnd: number,
  ): boolean {
    // A back-reference may repeat the beginning.
    if (this.#source.form.unsure.length > 0) return false;
    return this.#dfa.leadAlike(one, oneStart, oneEnd, other, otherStart, otherEnd);
  }

  save(): Uint8Array {
    const { patterns, options, form } = this.#source;
    const snapshot = this.#dfa.cacheBytes > SAVED_STATES_MAX_BYTES ? null : this.#dfa.snapshot();
    return writeForm(originOf(patterns, options), { ...form, snapshot });
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

  firstOfEach(haystack: Uint8Array, lines: Lines, into: Int32Array): void {
    this.#dfa.prepare(haystack, lines);
    const search = this.#lowest;
    for (let i = 0; i < lines.count; i++) {
      const start = lines.starts[i]!;
      const end = lines.ends[i]!;
      const first = this.#dfa.firstOfPrepared(i, start, end);
      if (first !== UNSURE) {
        into[i] = first;
        continue;
      }
      search.begin(haystack, start, end, false);
      this.#run(haystack, start, end, search, i);
      into[i] = search.best;
    }
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

  // `prepared`: which of the lines that the automaton has walked abreast this one is, or -1.
  #run(haystack: Uint8Array, start: number, end: number, listener: MatchListener, prepared = -1): void {
    if (this.#dfa.each(haystack, start, end, listener, prepared)) return;
    this.#simulation.run(haystack, start, end, listener);
  }

  #isConfirmed(index: number, haystack: Uint8Array, start: number, end: number): boolean {
    if (this.#unsure[index] === 0) return true;
    let ways = this.#matchers.get(index);
    if (ways === undefined) this.#matchers.set(index, (ways = this.#matchersOf(index)));
    return ways.some((way) =>
      way.every((matcher) => {
        const verdict = matcher.test(haystack, start, end);
        if (verdict === "undecided") this.#undecided++;
        return verdict === "match";
      }),
    );
  }

  // Read again, where few patterns ever are: a set that was compiled before has no more than its automaton.
  #matchersOf(index: number): BackReferenceMatcher[][] {
    const read = readPattern(this.#source.patterns[index]!, this.#sets);
    if ("fault" in read) throw new TypeError("a faulty pattern is among those to confirm");
    return read.lines.map(({ node, filter }) => {
      const nodes = filter === null ? [node] : [filter, node];
      return nodes.map((each) => new BackReferenceMatcher(each, this.#sets));
    });
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
