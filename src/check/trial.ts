// Tries a rule, or a file of rules, on log lines before it goes into a rule directory: what logcheck-test is for.
import { compilePatternSet, type PatternSet } from "../pattern/set.ts";
import { trimmedEnd } from "./blanks/match.ts";
import { parseRuleFile } from "./parse.ts";
import type { Locale } from "./types.ts";

/** The beginning that nearly every rule has: a traditional timestamp and a host name. */
export const STANDARD_PREFIX = "^[[:alpha:]]{3} [ :[:digit:]]{11} [._[:alnum:]-]+ ";
export const STANDARD_SUFFIX = "$";

/** A rule that does not compile: where in its file, or line 0 for a rule by itself. */
export type TrialFault = {
  readonly line: number;
  /** Bytes into the rule. */
  readonly position: number;
  readonly reason: string;
  readonly mend: string;
};

/** Rules on trial. */
export class Trial {
  readonly faults: readonly TrialFault[];
  readonly #set: PatternSet;
  readonly #locale: Locale;

  private constructor(rules: readonly { bytes: Uint8Array; line: number }[], locale: Locale) {
    const { set, faults } = compilePatternSet(
      rules.map(({ bytes }) => bytes),
      { locale },
    );
    this.#set = set;
    this.#locale = locale;
    this.faults = faults.map(({ index, position, reason, mend }) => ({
      line: rules[index]!.line,
      position,
      reason,
      mend,
    }));
  }

  /** One rule, as it would stand in a file. */
  static ofRule(rule: string, locale: Locale): Trial {
    return new Trial([{ bytes: new TextEncoder().encode(rule), line: 0 }], locale);
  }

  /** The rules in the text of a rule file. */
  static ofFile(text: Uint8Array, file: string, locale: Locale): Trial {
    const rules = parseRuleFile(text, file, locale);
    return new Trial(
      rules.map(({ bytes, place }) => ({ bytes, line: place.line })),
      locale,
    );
  }

  /** Whether any rule matches the line in `bytes[start, end)`, newline excluded; its trailing blanks are cut first. */
  matches(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    return this.#set.matches(bytes, start, trimmedEnd(bytes, start, end, this.#locale));
  }
}
