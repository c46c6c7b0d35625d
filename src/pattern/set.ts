// The room's front door: many patterns, one question per line. Compiles them, or takes what was compiled before.
import { overreach } from "./backref/overreach.ts";
import { type CompiledForm, keyOf, originOf, readForm } from "./compiled/form.ts";
import { CompiledSet } from "./compiled-set.ts";
import type { Lines } from "./lazy-dfa/abreast.ts";
import type { Locale } from "./locale/types.ts";
import { cutAlphabet } from "./nfa/classes.ts";
import { buildProgram, countStates, type Member } from "./nfa/program.ts";
import { Trail } from "./syntax/parse.ts";
import { readPattern } from "./syntax/read.ts";
import { SetTable } from "./syntax/set-table.ts";

export type { Lines } from "./lazy-dfa/abreast.ts";
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
  /**
   * What `save` gave for the same patterns and options; anything else is ignored, but bytes of it that were
   * changed are not noticed: whoever keeps them checks them. The set uses the memory, which must not change.
   */
  saved?: Uint8Array;
};

export interface PatternSet {
  /** How many patterns were given, the faulty ones included. */
  readonly size: number;
  /** Whether any pattern matches somewhere in `haystack[start, end)`, taken as one line. */
  matches(haystack: Uint8Array, start?: number, end?: number): boolean;
  /** The lowest index of a pattern that matches, or -1. */
  first(haystack: Uint8Array, start?: number, end?: number): number;
  /** `first` of every line, into `into`. Much faster than line by line. */
  firstOfEach(haystack: Uint8Array, lines: Lines, into: Int32Array): void;
  /** The index of every pattern that matches, ascending. */
  all(haystack: Uint8Array, start?: number, end?: number): number[];
  /**
   * Whether lines that begin with `one[oneStart, oneEnd)` are sure to be matched by the same patterns when they begin
   * with `other[otherStart, otherEnd)` instead, whatever follows. False when that is not known.
   */
  leadAlike(
    one: Uint8Array,
    oneStart: number,
    oneEnd: number,
    other: Uint8Array,
    otherStart: number,
    otherEnd: number,
  ): boolean;
  /**
   * DFA states held, the bytes they take, how often the cache was dropped, and how often an engine gave up: the DFA
   * on a line (which the simulation then decides), or the back-reference matcher (which then says "no match").
   */
  stats(): { states: number; cacheBytes: number; flushes: number; gaveUp: number };
  /** The compiled set, with the states that lines have led to. */
  save(): Uint8Array;
}

// One pattern of 100,000 states is 130 times the largest that Debian ships for logcheck; a set may have 20 such.
const PATTERN_STATES_MAX = 100_000;
const SET_STATES_MAX = 2_000_000;

/**
 * Compiles POSIX extended regular expressions as GNU grep -E reads them. A pattern that holds newlines is several
 * patterns with one index, as for grep. Faulty patterns are left out and named.
 */
export function compilePatternSet(
  given: readonly (string | Uint8Array)[],
  options: PatternSetOptions = {},
): { set: PatternSet; faults: readonly PatternFault[] } {
  const patterns = given.map((pattern) => (typeof pattern === "string" ? encoder.encode(pattern) : pattern));
  const { saved, ...rest } = options;
  const known = saved === undefined ? null : readForm(originOf(patterns, rest), saved);
  const form = known ?? compile(patterns, rest);
  return { set: new CompiledSet({ patterns, options: rest, form }), faults: form.faults };
}

/** A short name for the set that these patterns and options make; sets that differ hardly ever share one. */
export function patternSetKey(patterns: readonly Uint8Array[], options: PatternSetOptions = {}): string {
  return keyOf(originOf(patterns, options));
}

function compile(patterns: readonly Uint8Array[], options: PatternSetOptions): CompiledForm {
  const sets = new SetTable(options.locale ?? "C.UTF-8", options.ignoreCase ?? false);
  const faults: PatternFault[] = [];
  const members: Member[] = [];
  const unsure: number[] = [];
  const trail = new Trail();
  let states = 0;
  patterns.forEach((bytes, index) => {
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
    if (read.hasBackReference || read.lines.some(({ filter }) => filter !== null)) unsure.push(index);
  });
  const program = buildProgram(members);
  const classes = cutAlphabet(sets, program.hasWordAssertions);
  return { program, classes, unsure, faults, snapshot: null };
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
