// Bracket expressions: `[…]` with classes, ranges, equivalence and collating forms (POSIX XBD 9.3.5), read the way
// the GNU C library reads them where POSIX leaves the meaning open.
import { casePartners, upperOf } from "../locale/case.ts";
import { INVALID_BASE } from "../locale/symbols.ts";
import { type ClassName, isClassName } from "../locale/types.ts";
import type { SetTable } from "./set-table.ts";
import type { Reading, SyntaxFault } from "./types.ts";

// The GNU C library reads at most this much of a name between `[:` and `:]`.
const NAME_LIMIT = 32;

const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const HYPHEN = 0x2d;
const COLON = 0x3a;
const DOT = 0x2e;
const EQUALS = 0x3d;

export type Bracket = {
  readonly set: number;
  /** Index of the first symbol after the closing bracket. */
  readonly end: number;
  /** grep's automaton cannot be sure of this bracket in this locale. */
  readonly wantsMatcher: boolean;
  /** The two readings may differ. */
  readonly readingMatters: boolean;
};

type Element =
  | { kind: "symbol"; symbol: number; end: number }
  | { kind: "class"; name: ClassName; end: number }
  | { kind: "equivalence"; symbol: number; end: number };

class BracketError extends Error {
  readonly fault: SyntaxFault;
  constructor(fault: SyntaxFault) {
    super(fault.reason);
    this.fault = fault;
  }
}

/** Reads the bracket whose `[` is at `open`. */
export function parseBracket(
  symbols: Int32Array,
  open: number,
  sets: SetTable,
  reading: Reading,
): Bracket | { readonly fault: SyntaxFault } {
  try {
    return new BracketReader(symbols, open, sets, reading).read();
  } catch (error) {
    if (error instanceof BracketError) return { fault: error.fault };
    throw error;
  }
}

class BracketReader {
  readonly #symbols: Int32Array;
  readonly #open: number;
  readonly #sets: SetTable;
  readonly #reading: Reading;
  // Met "[.x.]" or "[=x=]": grep's automaton leaves both to the matcher, whatever they hold.
  #collates = false;

  constructor(symbols: Int32Array, open: number, sets: SetTable, reading: Reading) {
    this.#reading = reading;
    this.#symbols = symbols;
    this.#open = open;
    this.#sets = sets;
  }

  read(): Bracket {
    const { locale } = this.#sets;
    const multibyte = locale !== "C";
    const pairs: number[] = [];
    const classes: ClassName[] = [];
    let at = this.#open + 1;
    const negated = this.#symbols[at] === CARET;
    if (negated) at++;
    let wantsMatcher = negated && multibyte;
    const first = at;
    let plain = true;
    let readingMatters = false;
    let sawOther = false;
    let last = -1;
    for (;;) {
      const start = this.#element(at, at === first, at === first);
      at = start.end;
      last = start.kind === "symbol" ? start.symbol : -1;
      if (start.kind !== "symbol") plain = false;
      else if (start.symbol !== COLON) sawOther = true;
      if (start.kind !== "class" && start.kind !== "equivalence" && this.#symbols[at] === HYPHEN) {
        if (at + 1 >= this.#symbols.length) throw this.#unmatched();
        if (this.#symbols[at + 1] !== CLOSE) {
          const end = this.#element(at + 1, true, false);
          at = end.end;
          plain = false;
          if (end.kind !== "symbol") throw this.#badRange(at);
          if (multibyte && Math.max(start.symbol, end.symbol) > 0x7f) throw this.#wideRange(at);
          const range = this.#range(start.symbol, end.symbol, at);
          pairs.push(...range.ranges);
          if (range.readingMatters) readingMatters = true;
          if (multibyte && !(isDigit(start.symbol) && isDigit(end.symbol)) && start.symbol !== end.symbol) {
            wantsMatcher = true;
          }
          if (this.#atClose(at)) break;
          continue;
        }
      }
      if (start.kind === "class") {
        classes.push(start.name);
        if (multibyte && start.name !== "digit") wantsMatcher = true;
      } else {
        // An invalid byte between brackets matches nothing, not even itself.
        if (start.symbol <= INVALID_BASE) pairs.push(start.symbol, start.symbol);
        if (start.symbol > INVALID_BASE) wantsMatcher = true;
        if (this.#sets.ignoreCase) {
          for (const other of casePartners(start.symbol, locale)) pairs.push(other, other);
        }
      }
      if (this.#atClose(at)) break;
    }
    if (plain && sawOther && last === COLON && this.#symbols[first] === COLON) {
      throw this.#error(
        this.#open,
        "character class syntax is [[:space:]], not [:space:]",
        "write the class inside a second pair of brackets: [[:space:]]",
      );
    }
    const set = this.#sets.bracket(pairs, classes, negated);
    return { set, end: at + 1, wantsMatcher: wantsMatcher || this.#collates, readingMatters };
  }

  #atClose(at: number): boolean {
    if (at >= this.#symbols.length) throw this.#unmatched();
    return this.#symbols[at] === CLOSE;
  }

  #element(at: number, hyphenAllowed: boolean, closeAllowed: boolean): Element {
    if (at >= this.#symbols.length) throw this.#unmatched();
    const symbol = this.#symbols[at]!;
    if (symbol === CLOSE && !closeAllowed) throw this.#unmatched();
    if (symbol === OPEN && at + 1 < this.#symbols.length) {
      const delimiter = this.#symbols[at + 1]!;
      if (delimiter === COLON || delimiter === DOT || delimiter === EQUALS) return this.#named(at, delimiter);
    }
    if (symbol === HYPHEN && !hyphenAllowed && this.#symbols[at + 1] !== CLOSE) throw this.#badRange(at);
    return { kind: "symbol", symbol, end: at + 1 };
  }

  #named(at: number, delimiter: number): Element {
    let end = at + 2;
    const name: number[] = [];
    for (; ; end++) {
      if (end + 1 >= this.#symbols.length || name.length >= NAME_LIMIT) throw this.#unmatched();
      if (this.#symbols[end] === delimiter && this.#symbols[end + 1] === CLOSE) break;
      name.push(this.#symbols[end]!);
    }
    end += 2;
    if (delimiter === COLON) {
      const text = String.fromCodePoint(...name.map((symbol) => Math.min(symbol, 0x10ffff)));
      if (!isClassName(text)) {
        throw this.#error(
          at,
          `Invalid character class name "${text}"`,
          "use one of alpha, digit, alnum, upper, lower, punct, print, graph, space, cntrl, xdigit, blank",
        );
      }
      // With case ignored, "upper" and "lower" both mean any letter.
      const folded = this.#sets.ignoreCase && (text === "upper" || text === "lower") ? "alpha" : text;
      return { kind: "class", name: folded, end };
    }
    this.#collates = true;
    // Neither locale has collating elements of several characters, nor names for single ones; in C.UTF-8 the
    // library looks only at names of one byte.
    if (name.length !== 1 || (this.#sets.locale !== "C" && name[0]! > 0x7f && name[0]! < INVALID_BASE)) {
      throw this.#error(
        at,
        "Invalid collation character",
        "write the character itself; this locale names no collating elements",
      );
    }
    return delimiter === EQUALS
      ? { kind: "equivalence", symbol: name[0]!, end }
      : { kind: "symbol", symbol: name[0]!, end };
  }

  // With case ignored, the matcher puts both ends into upper case first, and the automaton every member.
  #range(low: number, high: number, at: number): { ranges: readonly number[]; readingMatters: boolean } {
    const { locale, ignoreCase } = this.#sets;
    if (!ignoreCase) {
      if (low > high) throw this.#badRange(at);
      return { ranges: [low, high], readingMatters: false };
    }
    const [from, to] = [upperOf(low, locale), upperOf(high, locale)];
    const asMatcher = this.#reading === "matcher";
    if (asMatcher && from > to) throw this.#badRange(at);
    const ranges: number[] = [];
    for (let symbol = asMatcher ? from : low; symbol <= (asMatcher ? to : high); symbol++) {
      ranges.push(symbol, symbol);
      for (const other of casePartners(symbol, locale)) ranges.push(other, other);
    }
    return { ranges, readingMatters: from !== low || to !== high };
  }

  // The C library has no order for them here, and refuses rather than guess.
  #wideRange(at: number): BracketError {
    return this.#error(
      at,
      "Invalid collation character",
      "in C.UTF-8 a range runs between ASCII characters only: list the others one by one",
    );
  }

  #unmatched(): BracketError {
    return this.#error(
      this.#open,
      this.#open + 1 < this.#symbols.length ? "Unmatched [, [^, [:, [., or [=" : "Invalid regular expression",
      'close the bracket with "]", or write "\\[" for the character itself',
    );
  }

  #badRange(at: number): BracketError {
    return this.#error(
      at,
      "Invalid range end",
      "put the smaller character first, and a literal hyphen first or last in the bracket",
    );
  }

  #error(position: number, reason: string, mend: string): BracketError {
    return new BracketError({ position, reason, mend });
  }
}

function isDigit(symbol: number): boolean {
  return symbol >= 0x30 && symbol <= 0x39;
}
