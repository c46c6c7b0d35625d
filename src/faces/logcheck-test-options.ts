// logcheck-test's command line: the options are read in order, and each thing that can be wrong with them has an exit
// status of its own, which scripts may know.
import { accessSync, constants, lstatSync, statSync } from "node:fs";
import { STANDARD_PREFIX, STANDARD_SUFFIX } from "../check/trial.ts";

/** What the command line asks for. */
export type LogcheckTestRequest = {
  readonly log: string;
  /** A file of rules, or "" when there is one rule. */
  readonly ruleFile: string;
  /** The rule with what stands before and after it. */
  readonly rule: string;
  readonly invert: boolean;
  readonly quiet: boolean;
  /** Options that named a log when one was chosen already. */
  readonly ignored: readonly string[];
};

/** The command line asks for nothing that can be done; status 0 asks for the usage. */
export type LogcheckTestRefusal = { readonly status: number; readonly message: string };

/** What `-h` prints. */
export const LOGCHECK_TEST_USAGE = `usage: logcheck-test [-q|-i] [-a|-s|-l FILE] [-e] [-P PREFIX] [-S SUFFIX] RULE
       logcheck-test [-q|-i] [-a|-s|-l FILE] -r RULEFILE
Shows the lines of a log that a rule matches.

 -a, --auth.log               the log is /var/log/auth.log
 -s, --syslog                 the log is /var/log/syslog
 -l, --log-file FILE          the log is FILE
 -i, --invert-match           show the lines that do not match
 -q, --quiet                  no summary at the end
 -e, --surround-rule          put the usual beginning and end around RULE
 -P, --append-prefix PREFIX   add to what stands before RULE
 -S, --prepend-suffix SUFFIX  add to what stands after RULE
 -r, --rule-file RULEFILE     take the rules of a file
 -h, --help                   this text
`;

const SHORT: Record<string, string> = {
  "--auth.log": "-a",
  "--syslog": "-s",
  "--log-file": "-l",
  "--invert-match": "-i",
  "--quiet": "-q",
  "--surround-rule": "-e",
  "--append-prefix": "-P",
  "--prepend-suffix": "-S",
  "--rule-file": "-r",
  "--help": "-h",
};

// The exit status for an option whose value is missing.
const WITHOUT_VALUE: Record<string, number> = { "-r": 4, "-l": 7, "-P": 11, "-S": 12 };

type Draft = { -readonly [K in keyof LogcheckTestRequest]: LogcheckTestRequest[K] } & {
  prefix: string;
  suffix: string;
  ignored: string[];
};

/** Reads the arguments, stopping at the first thing that is wrong with them. */
export function readLogcheckTestOptions(args: readonly string[]): LogcheckTestRequest | LogcheckTestRefusal {
  const draft: Draft = {
    log: "",
    ruleFile: "",
    rule: "",
    invert: false,
    quiet: false,
    ignored: [],
    prefix: "",
    suffix: "",
  };
  const words = [...args];
  // An empty word ends the options, as in the script.
  for (let word = words.shift(); word !== undefined && word !== ""; word = words.shift()) {
    const option = SHORT[word] ?? word;
    let value = "";
    const missing = WITHOUT_VALUE[option];
    if (missing !== undefined) {
      value = words.shift() ?? "";
      if (value === "") return refuse(missing, `${word} wants a value after it`);
    }
    const refusal = option.startsWith("-")
      ? applyOption(draft, option, value)
      : applyRule(draft, word, words);
    if (refusal !== null) return refusal;
  }
  const { prefix, suffix, ...request } = draft;
  if (request.log === "") return refuse(2, "no log is chosen: give -a, -s or -l FILE");
  if (!isReadable(request.log)) return refuse(3, `"${request.log}" cannot be read`);
  if (request.ruleFile === "" && request.rule === "") return refuse(15, "no RULE and no rule file is given");
  return { ...request, rule: prefix + request.rule + suffix };
}

function applyOption(draft: Draft, option: string, value: string): LogcheckTestRefusal | null {
  switch (option) {
    case "-q":
      draft.quiet = true;
      return null;
    case "-i":
      draft.invert = true;
      return null;
    case "-e":
      if (draft.prefix !== "") return refuse(9, "-e has to stand before -P");
      if (draft.suffix !== "") return refuse(10, "-e has to stand before -S");
      draft.prefix = STANDARD_PREFIX;
      draft.suffix = STANDARD_SUFFIX;
      return null;
    case "-P":
      draft.prefix += value;
      return null;
    case "-S":
      draft.suffix += value;
      return null;
    case "-a":
      return chooseLog(draft, "/var/log/auth.log", option);
    case "-s":
      return chooseLog(draft, "/var/log/syslog", option);
    case "-l":
      return chooseLog(draft, value, `-l ${value}`);
    case "-r":
      return chooseRuleFile(draft, value);
    case "-h":
      return refuse(0, "");
    default:
      return refuse(13, `there is no option ${option}`);
  }
}

function applyRule(draft: Draft, word: string, after: readonly string[]): LogcheckTestRefusal | null {
  if (draft.ruleFile !== "") return refuse(16, "a RULE and a rule file exclude each other");
  draft.rule = word;
  return after[0] === undefined || after[0] === "" ? null : refuse(14, "RULE has to be the last word");
}

function chooseLog(draft: Draft, path: string, option: string): LogcheckTestRefusal | null {
  if (draft.log !== "") {
    draft.ignored.push(option);
    return null;
  }
  if (option.startsWith("-l")) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined || !(stats.isFile() || stats.isFIFO()))
      return refuse(8, `"${path}" is no regular file and no pipe`);
  }
  draft.log = path;
  return null;
}

function chooseRuleFile(draft: Draft, path: string): LogcheckTestRefusal | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || !(stats.isFile() || stats.isSymbolicLink()))
    return refuse(5, `"${path}" is no regular file and no link`);
  if (!isReadable(path)) return refuse(6, `"${path}" cannot be read`);
  draft.ruleFile = path;
  return null;
}

function refuse(status: number, message: string): LogcheckTestRefusal {
  return { status, message };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false; // what to say of it depends on which file it is
  }
}
