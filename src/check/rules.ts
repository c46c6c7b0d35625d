// Reads logcheck's rule directories as logcheck does, but never fails over one file or one rule: what cannot be read
// or compiled is named, and everything else is in force.
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ConfigFault, describeError } from "../core/errors.ts";
import type { Lines } from "../pattern/set.ts";
import { Classifier, type Verdict } from "./classify.ts";
import type { CompiledRules } from "./compiled.ts";
import { parseRuleFile } from "./parse.ts";
import type { Classified, Judgement, Locale, ReportLevel, Rule, RuleFile, RuleLayers } from "./types.ts";

export type { Classified, Judgement, Locale, ReportLevel } from "./types.ts";

export type RuleBookOptions = {
  readonly level: ReportLevel;
  /** Read `cracking.ignore.d`. Default false, as logcheck's SUPPORT_CRACKING_IGNORE. */
  readonly supportCrackingIgnore?: boolean;
  /** Default `C.UTF-8`. */
  readonly locale?: Locale;
  /** A rule written for one spelling of the timestamp accepts the other. Default true. */
  readonly eitherTimestamp?: boolean;
  /** Where compiled rules are kept between runs; without it, they are compiled anew. */
  readonly compiled?: CompiledRules;
};

/** The rules of one host at one report level. */
export type RuleBook = {
  readonly faults: readonly ConfigFault[];
  /** The directories that are not there; each is among the faults, too, though logcheck does without them. */
  readonly missing: readonly string[];
  /** Rules in force: every rule of every file, without the invalid ones. */
  readonly ruleCount: number;
  readonly layers: RuleLayers;
  /** The directory that was read. */
  readonly dir: string;
  readonly options: Required<Omit<RuleBookOptions, "compiled">>;
  /** Where one line is reported first, or null when it is ignored. The newline is not part of the line. */
  classify(line: Uint8Array): Classified | null;
  /** The short answer; bound. */
  readonly verdict: (bytes: Uint8Array, start: number, end: number) => Verdict;
  /** The short answer for each of many lines, into the array; bound. */
  readonly verdicts: (bytes: Uint8Array, lines: Lines, into: Uint8Array) => void;
  /** Books of one name give the same verdict on every line. */
  name(): string;
  /** Every section in which the line is reported. */
  judge(bytes: Uint8Array, start?: number, end?: number): Judgement;
};

const MISSING = "rule directory is missing";

const IGNORE_LEVELS: Record<ReportLevel, readonly ReportLevel[]> = {
  workstation: ["workstation", "server", "paranoid"],
  server: ["server", "paranoid"],
  paranoid: ["paranoid"],
};

// run-parts(8) without options lists only these, so that editors' backups and packaging leftovers are no rules.
const RULE_FILE_NAME = /^[a-zA-Z0-9_-]+$/;

/**
 * Reads the rule directories below `dir` (`/etc/logcheck`). Never throws: a missing directory, an unreadable
 * file and an invalid rule are faults, and the rest works.
 */
export function loadRuleBook(dir: string, { compiled, ...options }: RuleBookOptions): RuleBook {
  const full: RuleBook["options"] = {
    supportCrackingIgnore: false,
    locale: "C.UTF-8",
    eitherTimestamp: true,
    ...options,
  };
  const faults: ConfigFault[] = [];
  const present = existsSync(dir);
  if (!present) faults.push(folderFault(dir, { code: "ENOENT" }));
  const read = (...names: string[]) => (present ? readLayer(dir, names, full.locale, faults) : []);
  const layers: RuleLayers = {
    cracking: read("cracking.d"),
    crackingIgnore: full.supportCrackingIgnore ? read("cracking.ignore.d") : [],
    violations: read("violations.d"),
    violationsIgnore: read("violations.ignore.d"),
    ignore: read(...IGNORE_LEVELS[full.level].map((level) => `ignore.d.${level}`)),
  };
  const classifier = new Classifier(layers, { ...full, ...(compiled && { compile: compiled.compile }) });
  const total = Object.values(layers)
    .flat()
    .reduce((count: number, file: RuleFile) => count + file.rules.length, 0);
  return {
    faults: [...faults, ...classifier.faults],
    missing: faults.filter(({ message }) => message === MISSING).map(({ file }) => file),
    ruleCount: total - classifier.faults.length,
    layers,
    dir,
    options: full,
    verdict: (bytes, start, end) => classifier.verdict(bytes, start, end),
    verdicts: (bytes, lines, into) => classifier.verdicts(bytes, lines, into),
    name: () => classifier.name(),
    classify: (line) => classifier.classify(line),
    judge: (bytes, start, end) => classifier.judge(bytes, start, end),
  };
}

// Files of one name in several directories become one, in the order of the directories.
function readLayer(dir: string, names: readonly string[], locale: Locale, faults: ConfigFault[]): RuleFile[] {
  const byName = new Map<string, Rule[]>();
  for (const name of names) {
    const folder = join(dir, name);
    for (const file of ruleFileNames(folder, faults)) {
      const rules = readRuleFile(join(folder, file), locale, faults);
      if (rules === null) continue;
      const before = byName.get(file);
      if (before === undefined) byName.set(file, rules);
      else before.push(...rules);
    }
  }
  return [...byName.keys()].sort().map((name) => ({ name, rules: byName.get(name)! }));
}

function ruleFileNames(folder: string, faults: ConfigFault[]): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    faults.push(folderFault(folder, error));
    return [];
  }
  const names: string[] = [];
  for (const entry of entries) {
    if (RULE_FILE_NAME.test(entry.name) && isRegular(join(folder, entry.name), faults))
      names.push(entry.name);
  }
  return names.sort();
}

function isRegular(path: string, faults: ConfigFault[]): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    faults.push({
      file: path,
      line: 0,
      key: "",
      message: `cannot be looked at: ${describeError(error)}`,
      mend: "remove the broken link, or make what it points to readable",
      consequence: "its rules are not in force",
    });
    return false;
  }
}

function readRuleFile(path: string, locale: Locale, faults: ConfigFault[]): Rule[] | null {
  try {
    return parseRuleFile(readFileSync(path), path, locale);
  } catch (error) {
    faults.push({
      file: path,
      line: 0,
      key: "",
      message: `cannot be read: ${describeError(error)}`,
      mend: `let the group logcheck read it: chgrp logcheck ${path} && chmod g+r ${path}`,
      consequence: "its rules are not in force",
    });
    return null;
  }
}

function folderFault(folder: string, error: unknown): ConfigFault {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  return {
    file: folder,
    line: 0,
    key: "",
    message: missing ? MISSING : `cannot be read: ${describeError(error)}`,
    mend: missing
      ? `mkdir ${folder}, or install logcheck-database for Debian's rules`
      : `let the group logcheck read it: chgrp logcheck ${folder} && chmod g+rx ${folder}`,
    consequence: "no rules from there, the other directories are in force",
  };
}
