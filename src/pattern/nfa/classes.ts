// Cuts the alphabet into classes: two symbols that no set of the program tells apart are one column of the
// automaton's table. A byte below the plain limit finds its class by one table look-up; the rest go by page. ASCII
// and the rest never share a class: that costs a few columns, and saves comparing every set with every script.
import type { Ranges } from "../locale/ctype.ts";
import { SYMBOL_LIMIT } from "../locale/symbols.ts";
import { HIGH, type SetTable } from "../syntax/set-table.ts";

const PAGE_BITS = 8;
const PAGE_SIZE = 1 << PAGE_BITS;

/** Everything that the classes of a program are, as it can be kept. */
export type ClassParts = {
  readonly count: number;
  /** Class of each symbol below 256. */
  readonly low: Int32Array;
  /** Per class, and for the end of the line: 1 for word characters. */
  readonly isWord: Uint8Array;
  // Above ASCII, segment i runs from starts[i] to just before starts[i + 1]; classOf[i] is its class.
  readonly starts: Int32Array;
  readonly classOf: Int32Array;
  /** Per set and class, 1 where the set holds the class. */
  readonly members: Uint8Array;
};

/**
 * Cuts the alphabet along these sets.
 * @param needsWord the classes tell word characters from others, because an assertion will ask
 */
export function cutAlphabet(sets: SetTable, needsWord: boolean): ClassParts {
  const edge = needsWord ? sets.edge() : -1;
  const ascii = Int32Array.from({ length: HIGH }, (_, symbol) => symbol);
  const lowClasses = refine(ascii, sets.low);
  const starts = segmentStarts(sets.highs);
  const highClasses = refine(starts, sets.highs);
  const count = lowClasses.count + highClasses.count;
  const classOf = highClasses.of.map((number) => number + lowClasses.count);
  const low = new Int32Array(256);
  low.set(lowClasses.of);
  for (let symbol = HIGH; symbol < 256; symbol++) low[symbol] = search(starts, classOf, symbol);
  // One symbol of each class speaks for all.
  const sample = new Int32Array(count);
  for (let symbol = 0; symbol < HIGH; symbol++) sample[low[symbol]!] = symbol;
  classOf.forEach((number, segment) => {
    sample[number] = starts[segment]!;
  });
  const isWord = new Uint8Array(count + 1);
  const members = new Uint8Array(sets.low.length * count);
  for (let number = 0; number < count; number++) {
    if (needsWord && sets.holds(edge, sample[number]!)) isWord[number] = 1;
    for (let set = 0; set < sets.low.length; set++) {
      if (sets.holds(set, sample[number]!)) members[set * count + number] = 1;
    }
  }
  return { count, low, isWord, starts, classOf, members };
}

export class AlphabetClasses {
  /** How many classes; the class number `count` is the end of the line. */
  readonly count: number;
  /** Class of each symbol below 256. */
  readonly low: Int32Array;
  /** Per class: 1 for word characters. */
  readonly isWord: Uint8Array;
  readonly #parts: ClassParts;
  readonly #members: Uint8Array;
  // Pages of 256 symbols, filled at first use: at most 4,353 of them.
  readonly #pages: (Int32Array | undefined)[] = Array.from({ length: (SYMBOL_LIMIT >>> PAGE_BITS) + 1 });

  constructor(parts: ClassParts) {
    this.#parts = parts;
    this.#members = parts.members;
    this.count = parts.count;
    this.low = parts.low;
    this.isWord = parts.isWord;
  }

  /** Whether set `set` holds the symbols of class `number`. */
  has(set: number, number: number): boolean {
    return this.#members[set * this.count + number] === 1;
  }

  /** The class of any symbol. */
  of(symbol: number): number {
    if (symbol < 256) return this.low[symbol]!;
    const index = symbol >>> PAGE_BITS;
    let page = this.#pages[index];
    if (page === undefined) {
      page = new Int32Array(PAGE_SIZE);
      const { starts, classOf } = this.#parts;
      for (let i = 0; i < PAGE_SIZE; i++) page[i] = search(starts, classOf, (index << PAGE_BITS) + i);
      this.#pages[index] = page;
    }
    return page[symbol & (PAGE_SIZE - 1)]!;
  }
}

function search(starts: Int32Array, classOf: Int32Array, symbol: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle]! <= symbol) low = middle;
    else high = middle - 1;
  }
  return classOf[low]!;
}

// The classes of segments that begin at `starts`: each set splits every class it holds only a part of.
function refine(starts: Int32Array, sets: readonly Ranges[]): { of: Int32Array; count: number } {
  const classes = new Int32Array(starts.length);
  // splitInto[old] is good when splitBy[old] is the set at hand.
  const splitInto: number[] = [0];
  const splitBy: number[] = [-1];
  sets.forEach((ranges, set) => {
    let segment = 0;
    for (let i = 0; i < ranges.length; i += 2) {
      while (starts[segment]! < ranges[i]!) segment++;
      for (; segment < starts.length && starts[segment]! <= ranges[i + 1]!; segment++) {
        const old = classes[segment]!;
        if (splitBy[old] !== set) {
          splitBy[old] = set;
          splitInto[old] = splitInto.push(0) - 1;
          splitBy.push(-1);
        }
        classes[segment] = splitInto[old]!;
      }
    }
  });
  // A split may have left an old number without members.
  const numbers = new Map<number, number>();
  const of = classes.map((old) => {
    let number = numbers.get(old);
    if (number === undefined) numbers.set(old, (number = numbers.size));
    return number;
  });
  return { of, count: numbers.size };
}

// Every symbol above ASCII at which some set begins or has just ended, ascending, and the first.
function segmentStarts(sets: readonly Ranges[]): Int32Array {
  const starts = new Set<number>([HIGH]);
  for (const ranges of sets) {
    for (let i = 0; i < ranges.length; i += 2) starts.add(ranges[i]!).add(ranges[i + 1]! + 1);
  }
  starts.delete(SYMBOL_LIMIT);
  return Int32Array.from(starts).sort();
}
