// Whether a source is on the ignore list, asked in numbers because the answer is wanted while a flood passes.
import { familyOf, type PrefixSet } from "../core/address.ts";
import { wordsOf } from "./local.ts";

type Entry = { family: 4 | 6; words: readonly number[]; masks: readonly number[] };

/** The prefixes of a set, compared word by word; lists are short, so one after the other. */
export class PrefixMatcher {
  readonly #entries: Entry[];

  constructor(set: PrefixSet | undefined) {
    this.#entries = (set?.prefixes ?? []).map(({ base, bits }) => ({
      family: familyOf(base),
      words: wordsOf(base),
      masks: [0, 1, 2, 3].map((word) => maskOf(bits - word * 32)),
    }));
  }

  has(family: 4 | 6, w0: number, w1: number, w2: number, w3: number): boolean {
    for (const { family: of, words, masks } of this.#entries) {
      if (
        of === family &&
        (w0 & masks[0]!) >>> 0 === words[0] &&
        (family === 4 ||
          ((w1 & masks[1]!) >>> 0 === words[1] &&
            (w2 & masks[2]!) >>> 0 === words[2] &&
            (w3 & masks[3]!) >>> 0 === words[3]))
      )
        return true;
    }
    return false;
  }
}

function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffff_ffff : (0xffff_ffff << (32 - bits)) >>> 0;
}
