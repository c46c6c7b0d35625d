// Cuts the alphabet into classes: two symbols that no set of the program tells apart are one column of the
// automaton's table. A byte below the plain limit finds its class by one table look-up; the rest go by page.
import type { Ranges } from "../locale/ctype.ts";
import { SYMBOL_LIMIT } from "../locale/symbols.ts";
import { holds } from "../syntax/ranges.ts";

const PAGE_BITS = 8;
const PAGE_SIZE = 1 << PAGE_BITS;

export class AlphabetClasses {
  /** How many classes; the class number `count` is the end of the line. */
  readonly count: number;
  /** Class of each symbol below 256. */
  readonly low = new Int32Array(256);
  /** Per class: 1 for word characters. */
  readonly isWord: Uint8Array;
  // Segment i runs from #starts[i] to just before #starts[i + 1]; #classOf[i] is its class.
  readonly #starts: Int32Array;
  readonly #classOf: Int32Array;
  // Pages of 256 symbols, filled at first use: at most 4,353 of them.
  readonly #pages: (Int32Array | undefined)[] = [];
  // Per set: the classes it holds, as 0 or 1.
  readonly #members: Uint8Array;

  /**
   * @param sets normalised ranges; @param word the word characters, which the classes tell apart as well when
   * `needsWord` says that an assertion asks
   */
  constructor(sets: readonly Ranges[], word: Ranges, needsWord: boolean) {
    const all = needsWord ? [...sets, word] : sets;
    const starts = segmentStarts(all);
    // Partition refinement: each set splits every class it holds only a part of.
    const classes = new Int32Array(starts.length);
    // splitInto[old] is good when splitBy[old] is the set at hand.
    const splitInto: number[] = [0];
    const splitBy: number[] = [-1];
    let count = 1;
    all.forEach((ranges, set) => {
      let segment = 0;
      for (let i = 0; i < ranges.length; i += 2) {
        while (starts[segment]! < ranges[i]!) segment++;
        for (; segment < starts.length && starts[segment]! <= ranges[i + 1]!; segment++) {
          const old = classes[segment]!;
          if (splitBy[old] !== set) {
            splitBy[old] = set;
            splitInto[old] = count++;
            splitInto.push(0);
            splitBy.push(-1);
          }
          classes[segment] = splitInto[old]!;
        }
      }
    });
    // Renumber: a split may have left an old number without members.
    const numbers = new Map<number, number>();
    this.#classOf = Int32Array.from(classes, (old) => {
      let number = numbers.get(old);
      if (number === undefined) numbers.set(old, (number = numbers.size));
      return number;
    });
    this.#starts = starts;
    this.count = numbers.size;
    for (let symbol = 0; symbol < 256; symbol++) this.low[symbol] = this.#search(symbol);
    this.isWord = new Uint8Array(this.count + 1);
    this.#members = new Uint8Array(sets.length * this.count);
    const sample = new Int32Array(this.count);
    starts.forEach((start, segment) => {
      sample[this.#classOf[segment]!] = start;
    });
    for (let number = 0; number < this.count; number++) {
      if (needsWord && holds(word, sample[number]!)) this.isWord[number] = 1;
      for (let set = 0; set < sets.length; set++) {
        if (holds(sets[set]!, sample[number]!)) this.#members[set * this.count + number] = 1;
      }
    }
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
      for (let i = 0; i < PAGE_SIZE; i++) page[i] = this.#search((index << PAGE_BITS) + i);
      this.#pages[index] = page;
    }
    return page[symbol & (PAGE_SIZE - 1)]!;
  }

  #search(symbol: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#starts[middle]! <= symbol) low = middle;
      else high = middle - 1;
    }
    return this.#classOf[low]!;
  }
}

// Every symbol at which some set begins or has just ended, ascending, and 0.
function segmentStarts(sets: readonly Ranges[]): Int32Array {
  const isStart = new Uint8Array(SYMBOL_LIMIT + 1);
  isStart[0] = 1;
  for (const ranges of sets) {
    for (let i = 0; i < ranges.length; i += 2) {
      isStart[ranges[i]!] = 1;
      isStart[ranges[i + 1]! + 1] = 1;
    }
  }
  const starts: number[] = [];
  for (let at = 0; at >= 0 && at < SYMBOL_LIMIT; at = isStart.indexOf(1, at + 1)) starts.push(at);
  return Int32Array.from(starts);
}
