// logcheck's command line, read as bash's getopts reads it: letters may be joined, a value may stick to its letter,
// and the first word that is no option ends them.
import type { Settings } from "../check/settings.ts";

/** What the command line asks for. `change` goes over what logcheck.conf says. */
export type LogcheckRequest = {
  readonly show: "help" | "version" | null;
  readonly debug: boolean;
  readonly keepTemporary: boolean;
  /** `-c`, or null for the default path, which need not exist. */
  readonly configFile: string | null;
  readonly hostName: string | null;
  readonly toStdout: boolean;
  readonly reboot: boolean;
  /** Nothing is marked as read. */
  readonly test: boolean;
  readonly change: Partial<Settings>;
};

/** The options that take a value, in getopts' own notation. */
const WITH_VALUE = "cHlLDmrS";

type Draft = { -readonly [K in keyof LogcheckRequest]: LogcheckRequest[K] } & {
  change: { -readonly [K in keyof Settings]?: Settings[K] };
};

/** Reads the arguments; a text is what was wrong with them. */
export function readLogcheckOptions(args: readonly string[]): LogcheckRequest | string {
  const draft: Draft = {
    show: null,
    debug: false,
    keepTemporary: false,
    configFile: null,
    hostName: null,
    toStdout: false,
    reboot: false,
    test: false,
    change: {},
  };
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word === "--" || !/^-./.test(word)) break;
    for (let letterAt = 1; letterAt < word.length; letterAt++) {
      const letter = word[letterAt]!;
      if (WITH_VALUE.includes(letter)) {
        const value = letterAt + 1 < word.length ? word.slice(letterAt + 1) : args[++at];
        if (value === undefined) return `option requires an argument -- ${letter}`;
        applyValue(draft, letter, value);
        break;
      }
      if (!applySwitch(draft, letter)) return `illegal option -- ${letter}`;
    }
  }
  return draft;
}

function applyValue(draft: Draft, letter: string, value: string): void {
  const { change } = draft;
  if (letter === "c") draft.configFile = value;
  else if (letter === "H") draft.hostName = value;
  else if (letter === "l") change.logFile = value;
  else if (letter === "L") change.logFilesList = value;
  else if (letter === "D") change.logFilesListDir = value;
  else if (letter === "m") change.sendmailto = value;
  else if (letter === "r") change.ruleDir = value;
  else change.stateDir = value;
}

function applySwitch(draft: Draft, letter: string): boolean {
  const { change } = draft;
  if (letter === "h" || letter === "v") draft.show ??= letter === "h" ? "help" : "version";
  else if (letter === "d") draft.debug = true;
  else if (letter === "T") draft.keepTemporary = true;
  else if (letter === "o") draft.toStdout = true;
  else if (letter === "R") draft.reboot = true;
  else if (letter === "t") draft.test = true;
  else if (letter === "u") change.syslogSummary = true;
  else if (letter === "p") change.level = "paranoid";
  else if (letter === "s") change.level = "server";
  else if (letter === "w") change.level = "workstation";
  else return false;
  return true;
}

/** What `-h` prints. */
export const LOGCHECK_USAGE = `usage: logcheck [OPTION...]
Reads what is new in the logs and reports what no rule ignores.

 -c FILE   read this configuration file (/etc/logcheck/logcheck.conf)
 -L FILE   read this list of logs (/etc/logcheck/logcheck.logfiles)
 -D DIR    read the lists of logs in this directory (/etc/logcheck/logcheck.logfiles.d)
 -l LOG    check only this log
 -r DIR    rules are below this directory (/etc/logcheck)
 -S DIR    keep what was read in this directory (/var/lib/logcheck)
 -p -s -w  report level: paranoid, server, workstation
 -m MAIL   send the report to this address
 -H HOST   name the host so in the subject
 -R        begin the subject with "Reboot:"
 -o        print the report instead of sending it
 -t        test: nothing is marked as read
 -u        run syslog-summary over each section
 -T        keep temporary files
 -d        say on standard error what is done
 -h -v     print this text, or the version
`;
