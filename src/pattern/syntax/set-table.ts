// The sets of symbols that the patterns of one set use, each once: `[[:alnum:]]` written two thousand times is
// one entry, and the automaton's alphabet is cut along these entries only. ASCII and the rest are kept apart, because
// sets differ in ASCII and share the rest: hundreds of brackets have a dozen different rests of 700 ranges each.
import { casePartners } from "../locale/case.ts";
import { classRanges, type Ranges } from "../locale/ctype.ts";
import { BEYOND_UNICODE, INVALID_BASE, SYMBOL_LIMIT } from "../locale/symbols.ts";
import type { ClassName, Locale } from "../locale/types.ts";
import { complement, from, holds, normalise, union } from "./ranges.ts";
import { repeat } from "./repeat.ts";
import type { SyntaxNode } from "./types.ts";

/** The first symbol that is no ASCII character: where a set's low part ends and its high part begins. */
export const HIGH = 0x80;

/** Single ranges `[low, high, …]` in any order and classes; of symbols, all that are in none when `negated`. */
type Described = {
  readonly pairs: readonly number[];
  readonly classes?: readonly ClassName[];
  readonly negated?: boolean;
};

export class SetTable {
  readonly locale: Locale;
  readonly ignoreCase: boolean;
  /** Per set: what it has of ASCII, normalised. */
  readonly low: Ranges[] = [];
  /** Per set: the number of its high part. */
  readonly highOf: number[] = [];
  /** The high parts, normalised. */
  readonly highs: Ranges[] = [];
  // Per set its one node: a rule set has a quarter of a million characters, and few different ones.
  readonly #nodes: SyntaxNode[] = [];
  readonly #repeats = new Map<number, SyntaxNode>();
  readonly #byText = new Map<string, number>();
  readonly #byParts = new Map<string, number>();
  readonly #highByText = new Map<string, number>();
  readonly #ofSymbol: number[] = [];
  readonly #ofHighSymbol = new Map<number, number>();

  constructor(locale: Locale, ignoreCase: boolean) {
    this.locale = locale;
    this.ignoreCase = ignoreCase;
  }

  /** The set of one symbol, with its other case when case is ignored. */
  single(symbol: number): number {
    const known = symbol < HIGH ? this.#ofSymbol[symbol] : this.#ofHighSymbol.get(symbol);
    if (known !== undefined) return known;
    const pairs = [symbol, symbol];
    if (this.ignoreCase) {
      for (const other of casePartners(symbol, this.locale)) pairs.push(other, other);
    }
    const id = this.#define({ pairs });
    if (symbol < HIGH) this.#ofSymbol[symbol] = id;
    else this.#ofHighSymbol.set(symbol, id);
    return id;
  }

  /** The set of a bracket expression. */
  bracket(pairs: readonly number[], classes: readonly ClassName[], negated: boolean): number {
    return this.#named(`[${negated ? "^" : ""}${pairs.join()}:${classes.join()}`, {
      pairs,
      classes,
      negated,
    });
  }

  /** `.`, which never matches an invalid byte. */
  any(): number {
    return this.#named(".", { pairs: [0, Math.min(this.#top, BEYOND_UNICODE - 1)] });
  }

  /** Every symbol, invalid bytes included. */
  everything(): number {
    return this.#named("everything", { pairs: [0, SYMBOL_LIMIT - 1] });
  }

  /** `\w` and `\W`. */
  word(negated: boolean): number {
    return this.#named(negated ? "\\W" : "\\w", { pairs: [0x5f, 0x5f], classes: ["alnum"], negated });
  }

  /** `\s` and `\S`. */
  space(negated: boolean): number {
    return this.#named(negated ? "\\S" : "\\s", { pairs: [], classes: ["space"], negated });
  }

  /**
   * What counts as a word character beside `\b` and its kin. The GNU C library takes an invalid byte there for the
   * Latin-1 character of the same number.
   */
  edge(): number {
    const pairs = [0x5f, 0x5f];
    if (this.locale !== "C") {
      const letters = classRanges("alnum", this.locale);
      for (let byte = HIGH; byte <= 0xff; byte++) {
        if (holds(letters, byte)) pairs.push(INVALID_BASE + byte, INVALID_BASE + byte);
      }
    }
    return this.#named("edge", { pairs, classes: ["alnum"] });
  }

  /** Whether set `set` holds `symbol`. */
  holds(set: number, symbol: number): boolean {
    return holds(symbol < HIGH ? this.low[set]! : this.highs[this.highOf[set]!]!, symbol);
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

  // The largest symbol that a negated set can match.
  get #top(): number {
    return this.locale === "C" ? 0xff : BEYOND_UNICODE;
  }

  #named(text: string, described: Described): number {
    let id = this.#byText.get(text);
    if (id === undefined) this.#byText.set(text, (id = this.#define(described)));
    return id;
  }

  #define({ pairs, classes = [], negated = false }: Described): number {
    const lowPairs: number[] = [];
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i]! < HIGH) lowPairs.push(pairs[i]!, Math.min(pairs[i + 1]!, HIGH - 1));
    }
    for (const name of classes) lowPairs.push(...classRanges(name, "C"));
    const members = normalise(lowPairs);
    const low = negated ? complement(members, 0, HIGH - 1) : members;
    const high = this.#highPart(normalise(from(pairs, HIGH)), classes, negated);
    const key = `${low.join()}/${high}`;
    let id = this.#byParts.get(key);
    if (id === undefined) {
      this.#byParts.set(key, (id = this.low.length));
      this.low.push(low);
      this.highOf.push(high);
    }
    return id;
  }

  #highPart(pairs: Ranges, classes: readonly ClassName[], negated: boolean): number {
    const wide = this.locale === "C" ? [] : [...new Set(classes)].filter((name) => !isAsciiOnly(name)).sort();
    const text = `${negated ? "^" : ""}${pairs.join()}:${wide.join()}`;
    let id = this.#highByText.get(text);
    if (id === undefined) {
      let members: Ranges = pairs;
      for (const name of wide) members = union(members, from(classRanges(name, this.locale), HIGH));
      id = this.highs.push(negated ? complement(members, HIGH, this.#top) : members) - 1;
      this.#highByText.set(text, id);
    }
    return id;
  }
}

function isAsciiOnly(name: ClassName): boolean {
  return name === "digit" || name === "xdigit";
}
