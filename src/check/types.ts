// The shapes that rule directories, the classifier and the report share.
import type { Layer, RulePlace } from "../core/events.ts";

/** Which characters `.`, classes and blanks mean: bytes, or UTF-8 as glibc's C.UTF-8 reads it. */
export type Locale = "C" | "C.UTF-8";

/** How much the administrator wants to hear: `paranoid` ignores least, `workstation` most. */
export type ReportLevel = "workstation" | "server" | "paranoid";

/** One pattern as it stands in a rule file; the bytes are exactly what grep would be given. */
export type Rule = { readonly place: RulePlace; readonly bytes: Uint8Array };

/**
 * All rules that carry one file name within a layer. The ignore layer reads several directories, and files of
 * the same name become one.
 */
export type RuleFile = { readonly name: string; readonly rules: readonly Rule[] };

/** The five sets of rules that decide about a line. Files are in byte order of their names. */
export type RuleLayers = {
  readonly cracking: readonly RuleFile[];
  readonly crackingIgnore: readonly RuleFile[];
  readonly violations: readonly RuleFile[];
  readonly violationsIgnore: readonly RuleFile[];
  readonly ignore: readonly RuleFile[];
};

/**
 * Where a line is reported. `section` is the rule file's name (`ssh` stands under "Security Events for ssh",
 * `logcheck` under plain "Security Events") and empty in the system layer, where no rule speaks for a line.
 */
export type Classified = { readonly layer: Layer; readonly section: string; readonly rule?: RulePlace };

/**
 * Everything the rules say about one line. A line may stand in several sections of the report. When
 * `crackingMatched` and the report holds any attack, the violations sections lose the line.
 */
export type Judgement = {
  readonly cracking: readonly Classified[];
  readonly violations: readonly Classified[];
  readonly crackingMatched: boolean;
  readonly system: boolean;
};
