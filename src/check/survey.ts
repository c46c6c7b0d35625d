// Counts which rules do any work on a host's own logs: the ones that never match, the ones that another rule always
// matches with, and the ones that stand there twice can go.
import { showableBytes } from "../core/hostile.ts";
import { type OwnedRule, RuleIndex } from "./ruleindex.ts";
import type { RuleBook } from "./rules.ts";
import type { RuleLayers } from "./types.ts";

/** One rule and what it did. */
export type SurveyedRule = OwnedRule & {
  /** Lines that it matched. */
  readonly hits: number;
  /** Lines that no other rule of its layer matched: without the rule they would be judged otherwise. */
  readonly soleHits: number;
  /** The last line that it matched, shortened and fit to be shown, and the log it stood in. */
  readonly lastHit?: { readonly log: string; readonly line: string };
  /** The first rule of its layer that matched every line this one matched, so that this one changed nothing. */
  readonly shadowedBy?: OwnedRule;
  /** The first rule of its layer, and of its file where that matters, with the same text. */
  readonly duplicateOf?: OwnedRule;
};

// Enough to recognise a line by, and a bound on what a survey keeps of hostile text.
const LAST_HIT_BYTES = 200;
// A rule with more companions than this on its first line is not told which of the others shadows it.
const COMPANIONS_MAX = 32;

type Tally = {
  hits: number;
  soleHits: number;
  lastHit: { readonly log: string; readonly bytes: Uint8Array } | null;
  /** Rules that matched every line so far; null before the first hit. */
  companions: readonly OwnedRule[] | null;
};

/** Counts hits over as many logs as it is given. Memory is bounded by the number of rules. */
export class Survey {
  /** Lines seen. */
  lineCount = 0;
  readonly #index: RuleIndex;
  readonly #tallies: Tally[];

  constructor(book: RuleBook) {
    this.#index = new RuleIndex(book);
    this.#tallies = this.#index.rules.map(() => ({
      hits: 0,
      soleHits: 0,
      lastHit: null,
      companions: null,
    }));
  }

  /** Counts one line, newline excluded. */
  take(line: Uint8Array, log: string): void {
    this.lineCount++;
    const matching = this.#index.matching(line);
    for (const owned of matching) {
      const tally = this.#tallies[owned.number]!;
      const companions = matching.filter((other) => other !== owned && doesTheWorkOf(other, owned));
      tally.hits++;
      if (companions.length === 0) tally.soleHits++;
      tally.companions =
        tally.companions === null
          ? companions.slice(0, COMPANIONS_MAX)
          : tally.companions.filter((other) => companions.includes(other));
      tally.lastHit = { log, bytes: line.slice(0, LAST_HIT_BYTES) };
    }
  }

  /** Every rule of the book with what it did so far, in the order of layers, files and lines. */
  result(): SurveyedRule[] {
    const seen = new Map<string, OwnedRule>();
    return this.#index.rules.map((owned) => {
      const { hits, soleHits, lastHit } = this.#tallies[owned.number]!;
      const key = `${scopeOf(owned)}\n${oneCharPerByte.decode(owned.rule.bytes)}`;
      const duplicateOf = seen.get(key);
      if (duplicateOf === undefined) seen.set(key, owned);
      const shadowedBy = this.#shadowOf(owned);
      return {
        ...owned,
        hits,
        soleHits,
        ...(lastHit === null ? {} : { lastHit: { log: lastHit.log, line: showableBytes(lastHit.bytes) } }),
        ...(shadowedBy === undefined ? {} : { shadowedBy }),
        ...(duplicateOf === undefined ? {} : { duplicateOf }),
      };
    });
  }

  // Of two rules that always match together, the earlier one shadows the later one and not the reverse.
  #shadowOf(owned: OwnedRule): OwnedRule | undefined {
    return this.#tallies[owned.number]!.companions?.find((other) => {
      const back = this.#tallies[other.number]!.companions;
      return back?.includes(owned) !== true || other.number < owned.number;
    });
  }
}

const oneCharPerByte = new TextDecoder("latin1");

/** The layers in which a rule's file decides what the rule applies to. */
const BY_FILE = new Set<keyof RuleLayers>(["cracking", "violations", "crackingIgnore", "violationsIgnore"]);

function scopeOf({ layer, file }: OwnedRule): string {
  return BY_FILE.has(layer) ? `${layer}/${file}` : layer;
}

function doesTheWorkOf(other: OwnedRule, owned: OwnedRule): boolean {
  return scopeOf(other) === scopeOf(owned);
}
