// Answers which rules match a line, all of them: what classifying does not need to know, and what explaining a verdict
// and counting hits do.
import { compilePatternSet, type PatternSet } from "../pattern/set.ts";
import { trimmedEnd } from "./blanks/match.ts";
import type { RuleBook } from "./rules.ts";
import { OTHER_SPELLING_GROWTH_BYTES, writeOtherSpelling } from "./stamp/parse.ts";
import type { Rule, RuleLayers } from "./types.ts";

/** A rule and where it belongs. `number` counts the rules of a book in the order of layers, files and lines. */
export type OwnedRule = {
  readonly number: number;
  readonly layer: keyof RuleLayers;
  /** The rule file's name. */
  readonly file: string;
  readonly rule: Rule;
  /** Why it is not in force, for a rule that does not compile. */
  readonly fault?: string;
};

const LAYERS = ["cracking", "crackingIgnore", "violations", "violationsIgnore", "ignore"] as const;

/** All rules of a book as one automaton that names every rule that matches. */
export class RuleIndex {
  readonly rules: readonly OwnedRule[];
  readonly #book: RuleBook;
  readonly #set: PatternSet;

  constructor(book: RuleBook) {
    this.#book = book;
    const rules = LAYERS.flatMap((layer) =>
      book.layers[layer].flatMap((file) => file.rules.map((rule) => ({ layer, file: file.name, rule }))),
    );
    const { set, faults } = compilePatternSet(
      rules.map(({ rule }) => rule.bytes),
      { locale: book.options.locale },
    );
    const reasons = new Map(faults.map(({ index, reason }) => [index, reason]));
    this.#set = set;
    this.rules = rules.map((owned, number) => {
      const fault = reasons.get(number);
      return { number, ...owned, ...(fault === undefined ? {} : { fault }) };
    });
  }

  /** The rules that match the line in either spelling of its timestamp that the book accepts, in order. */
  matching(line: Uint8Array): OwnedRule[] {
    const end = trimmedEnd(line, 0, line.length, this.#book.options.locale);
    const numbers = new Set(this.#set.all(line, 0, end));
    if (this.#book.options.eitherTimestamp) {
      const other = new Uint8Array(end + OTHER_SPELLING_GROWTH_BYTES);
      const length = writeOtherSpelling(line, 0, end, other);
      if (length >= 0) for (const number of this.#set.all(other, 0, length)) numbers.add(number);
    }
    return [...numbers].sort((a, b) => a - b).map((number) => this.rules[number]!);
  }
}
