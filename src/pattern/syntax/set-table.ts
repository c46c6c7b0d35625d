// The sets of symbols that the patterns of one set use, each once: `[[:alnum:]]` written two thousand times is
// one entry, and the automaton's alphabet is cut along these entries only.
import { casePartners } from "../locale/case.ts";
import { classRanges, type Ranges } from "../locale/ctype.ts";

import { BEYOND_UNICODE, INVALID_BASE, SYMBOL_LIMIT } from "../locale/symbols.ts";
import type { Locale } from "../locale/types.ts";
import { complement, holds, normalise, union } from "./ranges.ts";
import { repeat } from "./repeat.ts";
import type { SyntaxNode } from "./types.ts";

export class SetTable {
  readonly locale: Locale;
  readonly ignoreCase: boolean;
  /** Ranges of set `i`, normalised. */
  readonly ranges: Ranges[] = [];
  // Per set its one node: a rule set has a quarter of a million characters, and few different ones.
  readonly #nodes: SyntaxNode[] = [];
  readonly #repeats = new Map<number, SyntaxNode>();
  readonly #byText = new Map<string, number>();
  readonly #byHash = new Map<number, number[]>();
  readonly #ofSymbol = new Map<number, number>();

  constructor(locale: Locale, ignoreCase: boolean) {
    this.locale = locale;
    this.ignoreCase = ignoreCase;
  }

  /** The largest symbol that a negated set can match. */
  get top(): number {
    return this.locale === "C" ? 0xff : BEYOND_UNICODE;
  }

  /** The set written as `text`, made by `make`, normalised, the first time. */
  named(text: string, make: () => Ranges): number {
    let id = this.#byText.get(text);
    if (id === undefined) this.#byText.set(text, (id = this.#intern(make())));
    return id;
  }

  /** The set of one symbol, with its other case when case is ignored. */
  single(symbol: number): number {
    let id = this.#ofSymbol.get(symbol);
    if (id === undefined) {
      const ranges = [symbol, symbol];
      if (this.ignoreCase) {
        for (const other of casePartners(symbol, this.locale)) ranges.push(other, other);
      }
      this.#ofSymbol.set(symbol, (id = this.#intern(normalise(ranges))));
    }
    return id;
  }

  /** The node that matches one symbol of set `set`. */
  node(set: number): SyntaxNode {
    return (this.#nodes[set] ??= { kind: "set", set });
  }

  /** `body` repeated; the common repeats of one set are one node each. */
  repeat(body: SyntaxNode, min: number, max: number): SyntaxNode {
    if (body.kind !== "set" || max > 1 || min > 1) return repeat(body, min, max);
    const key = body.set * 6 + min * 3 + max + 1;
    let node = this.#repeats.get(key);
    if (node === undefined) this.#repeats.set(key, (node = repeat(body, min, max)));
    return node;
  }

  /** `.`, which never matches an invalid byte. */
  any(): number {
    return this.named(".", () => [0, Math.min(this.top, BEYOND_UNICODE - 1)]);
  }

  /** Every symbol, invalid bytes included. */
  everything(): number {
    return this.named("everything", () => [0, SYMBOL_LIMIT - 1]);
  }

  /** `\w` and `\W`. */
  word(negated: boolean): number {
    return this.named(negated ? "\\W" : "\\w", () => this.#perhapsNot(this.wordRanges(), negated));
  }

  /** `\s` and `\S`. */
  space(negated: boolean): number {
    return this.named(negated ? "\\S" : "\\s", () =>
      this.#perhapsNot(classRanges("space", this.locale), negated),
    );
  }

  wordRanges(): number[] {
    return union(classRanges("alnum", this.locale), [0x5f, 0x5f]);
  }

  /**
   * What counts as a word character beside `\b` and its kin. The GNU C library takes an invalid byte there for the
   * Latin-1 character of the same number.
   */
  edgeRanges(): number[] {
    const ranges = this.wordRanges();
    if (this.locale === "C") return ranges;
    for (let byte = 0x80; byte <= 0xff; byte++) {
      if (holds(ranges, byte)) ranges.push(INVALID_BASE + byte, INVALID_BASE + byte);
    }
    return normalise(ranges);
  }

  // The number of the set with exactly these normalised ranges.
  #intern(ranges: Ranges): number {
    let hash = ranges.length;
    for (const bound of ranges) hash = Math.imul(hash ^ bound, 0x01000193);
    const alike = this.#byHash.get(hash) ?? [];
    const known = alike.find((id) => {
      const other = this.ranges[id]!;
      return other.length === ranges.length && other.every((bound, i) => bound === ranges[i]);
    });
    if (known !== undefined) return known;
    this.#byHash.set(hash, [...alike, this.ranges.length]);
    return this.ranges.push(ranges) - 1;
  }

  #perhapsNot(ranges: Ranges, negated: boolean): Ranges {
    return negated ? complement(ranges, this.top) : ranges;
  }
}
