// Which logs are read and through which rules: telltale's own keys first, then logcheck's configuration, then the
// logs that every host has. Shared by the guard and `telltale check`.
import type { CompiledRules } from "../check/compiled.ts";
import { readLogcheckConfig } from "../check/logfiles.ts";
import { loadRuleBook, type ReportLevel, type RuleBook } from "../check/rules.ts";
import type { Config } from "../config/types.ts";
import type { ConfigFault } from "../core/errors.ts";
import { namedLogs } from "./named-logs.ts";

export type LogSources = {
  readonly rules: RuleBook;
  readonly rulesDirectory: string;
  readonly level: ReportLevel;
  readonly logs: readonly string[];
  readonly journal: boolean;
  readonly faults: readonly ConfigFault[];
};

/** Options that a command line may set over the configuration. */
export type LogSourceChoice = {
  readonly rules?: string;
  readonly level?: ReportLevel;
  /** Compiled rules of earlier runs. */
  readonly compiled?: CompiledRules;
};

/** Reads rule directories and lists of logs. Never throws; `rules.ruleCount` is 0 where there are none. */
export function findLogSources(config: Config, choice: LogSourceChoice = {}): LogSources {
  const rulesDirectory = choice.rules ?? config.check.rules;
  const logcheck = readLogcheckConfig(rulesDirectory);
  const level = choice.level ?? (config.check.level === "auto" ? logcheck.level : config.check.level);
  const rules = loadRuleBook(rulesDirectory, {
    level,
    supportCrackingIgnore: logcheck.supportCrackingIgnore,
    eitherTimestamp: config.check.either_timestamp,
    ...(choice.compiled && { compiled: choice.compiled }),
  });
  const listed = config.check.logs.length > 0 ? config.check.logs : logcheck.logfiles;
  const logs = namedLogs(config, logcheck.logfiles);
  const journal =
    config.check.journal === "on" ||
    (config.check.journal === "auto" && (logcheck.journal || listed.length === 0));
  // The lists of logs are logcheck's: a host that names its logs here, or has only logcheck's rules, need not have them.
  const isList = (fault: ConfigFault) => /logcheck\.logfiles/.test(fault.file);
  const faults = [
    ...rules.faults,
    ...logcheck.faults.filter(
      (fault) => !isList(fault) || (listed.length > 0 && config.check.logs.length === 0),
    ),
  ];
  return { rules, rulesDirectory, level, logs, journal, faults };
}
