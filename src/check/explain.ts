// Answers why a line is reported where it is, or not at all: the rules that spoke, in the order in which they count.
import type { RulePlace } from "../core/events.ts";
import { GENERIC_SECTION } from "./classify.ts";
import { type OwnedRule, RuleIndex } from "./ruleindex.ts";
import type { RuleBook } from "./rules.ts";
import type { Classified } from "./types.ts";

/** One rule file that raised the line, and what cancelled it, if anything did. */
export type Raised = {
  readonly layer: "cracking" | "violations";
  readonly section: string;
  /** The rules of the file that match, in order. */
  readonly rules: readonly RulePlace[];
  /** The rules that took the line out of this section again. */
  readonly cancelledBy: readonly RulePlace[];
  /** In words, why those rules apply to this section. */
  readonly because?: string;
};

/** Why one line is reported where it is. */
export type Explanation = {
  /** Where the line is reported, most serious first; empty when it is ignored. */
  readonly reported: readonly Classified[];
  readonly raised: readonly Raised[];
  /** The rules of `ignore.d.*` that match; they count only in the system layer. */
  readonly ignoredBy: readonly RulePlace[];
  /** The verdict in one sentence. */
  readonly verdict: string;
};

/** Explains lines by one rule book. Compiles all its rules anew, so one is made for many lines. */
export class Explainer {
  readonly #book: RuleBook;
  readonly #index: RuleIndex;

  constructor(book: RuleBook) {
    this.#book = book;
    this.#index = new RuleIndex(book);
  }

  /** Explains the verdict on one line, newline excluded. */
  explain(line: Uint8Array): Explanation {
    const matching = this.#index.matching(line);
    const raised = [...this.#raised("cracking", matching), ...this.#raised("violations", matching)];
    const ignoredBy = matching.filter(({ layer }) => layer === "ignore").map(({ rule }) => rule.place);
    const judgement = this.#book.judge(line);
    const attacks = judgement.cracking;
    // A line that is an attack is not told again as a violation.
    const violations = judgement.crackingMatched && attacks.length > 0 ? [] : judgement.violations;
    const system: readonly Classified[] = judgement.system ? [{ layer: "system", section: "" }] : [];
    const reported = [...attacks, ...violations, ...system];
    return { reported, raised, ignoredBy, verdict: verdictOf(reported, raised, ignoredBy) };
  }

  #raised(layer: "cracking" | "violations", matching: readonly OwnedRule[]): Raised[] {
    return this.#book.layers[layer].flatMap(({ name }) => {
      const rules = matching.filter((owned) => owned.layer === layer && owned.file === name);
      if (rules.length === 0) return [];
      const cancelled = cancellation(layer, name, matching);
      return [{ layer, section: name, rules: rules.map(({ rule }) => rule.place), ...cancelled }];
    });
  }
}

function cancellation(
  layer: "cracking" | "violations",
  name: string,
  matching: readonly OwnedRule[],
): Pick<Raised, "cancelledBy" | "because"> {
  const cancelling = matching.filter((owned) => owned.layer === `${layer}Ignore`);
  const places = (owned: readonly OwnedRule[]) => owned.map(({ rule }) => rule.place);
  const byName = cancelling.filter(
    ({ file }) =>
      file === name || file === `logcheck-${name}` || file === "local" || file.startsWith("local-"),
  );
  if (byName.length > 0) {
    return {
      cancelledBy: places(byName),
      because: `${name}, logcheck-${name}, local and local-* cancel ${name}`,
    };
  }
  if (name !== GENERIC_SECTION) return { cancelledBy: [] };
  if (cancelling.length > 0)
    return { cancelledBy: places(cancelling), because: "every ignore file cancels the file logcheck" };
  const elsewhere = matching.filter((owned) => owned.layer === layer && !owned.file.startsWith("logchec"));
  return elsewhere.length > 0
    ? { cancelledBy: places(elsewhere), because: "the line stands in another section already" }
    : { cancelledBy: [] };
}

function verdictOf(
  reported: readonly Classified[],
  raised: readonly Raised[],
  ignoredBy: readonly RulePlace[],
): string {
  const [first] = reported;
  if (first !== undefined && first.layer !== "system") {
    const also = reported.length > 1 ? `, and in ${reported.length - 1} more sections` : "";
    return `reported in the ${first.layer} layer, section ${first.section}, by ${place(first.rule)}${also}`;
  }
  if (first !== undefined) return "reported in the system layer: no rule matches it";
  const cancelled = raised.find(({ cancelledBy }) => cancelledBy.length > 0);
  if (cancelled !== undefined) {
    return `ignored: raised by ${place(cancelled.rules[0])}, cancelled by ${place(cancelled.cancelledBy[0])}`;
  }
  return `ignored by ${place(ignoredBy[0])}`;
}

function place(rule: RulePlace | undefined): string {
  return rule === undefined ? "no rule" : `${rule.file}:${rule.line}`;
}
