// Every variable that logcheck.conf may set, in one table with logcheck's default, what values mean something, and what
// it is for. The reader of the file, the drop-in face and the manual all take it from here.
import type { ConfigFault } from "../core/errors.ts";
import type { ShellAssignment } from "./conf/parse.ts";
import type { ReportLevel } from "./types.ts";

/** logcheck's settings. */
export type Settings = {
  readonly level: ReportLevel;
  readonly sendmailto: string;
  /** Undefined: the time of the run. */
  readonly date: string | undefined;
  readonly intro: boolean;
  readonly mailAsAttach: 0 | 1 | 2;
  readonly fqdn: boolean;
  readonly sortUniq: boolean;
  readonly supportCrackingIgnore: boolean;
  readonly syslogSummary: boolean;
  readonly addTag: boolean;
  readonly attackSubject: string;
  readonly securitySubject: string;
  readonly eventsSubject: string;
  readonly ruleDir: string;
  readonly stateDir: string;
  readonly tmp: string;
  readonly lockFile: string;
  readonly logFile: string;
  readonly logFilesList: string;
  readonly logFilesListDir: string;
  readonly syslogSummaryCommand: string;
};

/** One variable of logcheck.conf. */
export type SettingKey<T> = {
  readonly name: string;
  /** logcheck 1.4's own value. */
  readonly default: T;
  /** The values that mean something, in words. */
  readonly wants: string;
  readonly meaning: string;
  /** The value, or null for one that means nothing. */
  readonly read: (text: string) => T | null;
};

/** The table, by field. */
export const SETTING_KEYS: { readonly [F in keyof Settings]: SettingKey<Settings[F]> } = {
  level: {
    name: "REPORTLEVEL",
    default: "server",
    wants: "workstation, server or paranoid",
    meaning: "which directories of ignore rules count: paranoid ignores least, workstation most",
    read: (text) => (text === "workstation" || text === "server" || text === "paranoid" ? text : null),
  },
  sendmailto: {
    name: "SENDMAILTO",
    default: "root",
    wants: "a mail address",
    meaning: "who gets the report",
    read: (text) => (text === "" ? null : text),
  },
  date: text("DATE", undefined, "the date in the subject; $(date +FORMAT) is understood"),
  intro: {
    name: "INTRO",
    default: true,
    wants: "1, 0, yes or no",
    meaning: "whether header.txt and footer.txt surround the report",
    read: (given) =>
      ["", "yes", "1"].includes(given) ? true : given === "no" || given === "0" ? false : null,
  },
  mailAsAttach: {
    name: "MAILASATTACH",
    default: 0,
    wants: "0, 1 or 2",
    meaning: "0: the report is the mail; 1: it is attached; 2: attached and compressed by gzip",
    read: (given) => (given === "0" ? 0 : given === "1" ? 1 : given === "2" ? 2 : null),
  },
  fqdn: onOff("FQDN", "whether the subject names the host with its domain"),
  sortUniq: onOff("SORTUNIQ", "1: order by whole lines and report each once; 0: by the first three fields"),
  supportCrackingIgnore: onOff("SUPPORT_CRACKING_IGNORE", "whether cracking.ignore.d cancels attacks"),
  syslogSummary: onOff(
    "SYSLOGSUMMARY",
    "whether syslog-summary runs over each section, where it is installed",
  ),
  addTag: {
    name: "ADDTAG",
    default: false,
    wants: "yes or no",
    meaning: "whether the subject begins with [logcheck]",
    read: (given) => (given === "yes" ? true : given === "no" ? false : null),
  },
  attackSubject: text("ATTACKSUBJECT", "Security Alerts", "what attacks are called"),
  securitySubject: text("SECURITYSUBJECT", "Security Events", "what violations are called"),
  eventsSubject: text("EVENTSSUBJECT", "System Events", "what all other lines are called"),
  ruleDir: path("RULEDIR", "/etc/logcheck", "where the directories of rules are"),
  stateDir: path("STATEDIR", "/var/lib/logcheck", "where it is kept how far each log was read"),
  tmp: path("TMP", "/tmp", "where what does not fit in memory goes"),
  lockFile: path("LOCKFILE", "/run/lock/logcheck/logcheck", "the lock that keeps runs apart, without .lock"),
  logFile: text("LOGFILE", "", "check only this log, whatever is listed"),
  logFilesList: path("LOGFILES_LIST", "/etc/logcheck/logcheck.logfiles", "the list of logs"),
  logFilesListDir: path(
    "LOGFILES_LIST_D",
    "/etc/logcheck/logcheck.logfiles.d",
    "where more lists are, *.logfiles",
  ),
  syslogSummaryCommand: path(
    "SYSLOG_SUMMARY",
    "/usr/bin/syslog-summary",
    "the program that sums up sections",
  ),
};

/** logcheck 1.4's own values, before logcheck.conf speaks. */
export const DEFAULT_SETTINGS: Settings = Object.fromEntries(
  Object.entries(SETTING_KEYS).map(([field, key]) => [field, key.default]),
) as Settings; // the table has every field, with a default of its type

/** The date in a mail's subject, in the language of date(1), when nothing else is set. */
export const SUBJECT_DATE = "%Y-%m-%d %H:%M %z";

/** What logcheck's script has set before it runs logcheck.conf, for values that build on it. */
export const SHELL_DEFAULTS: ReadonlyMap<string, string> = new Map([
  ...Object.values(SETTING_KEYS).flatMap((key): [string, string][] => {
    const standard: unknown = key.default;
    return typeof standard === "string" ? [[key.name, standard]] : [];
  }),
  ["LOCKDIR", "/run/lock/logcheck"],
]);

// Variables that do something in logcheck's script but have nothing to do here: they are no mistake. MIMEENCODING is
// among them because our mail is quoted-printable, which every mailer and every mail program takes.
const WITHOUT_EFFECT = new Set([
  ...["PATH", "LANG", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_TIME", "TMPDIR", "HOSTNAME"],
  ...["LOCKDIR", "LOGTAIL", "LOGTAIL_OPTS", "LOGFILE_FALLBACK", "MAILOUT", "REBOOT", "NOCLEANUP"],
  ...["LOGCHECKDEBUG", "SORT", "MAILTO", "MIMEENCODING"],
]);

const UNKNOWN_NAME = {
  message: "is no setting of logcheck's that is read here",
  mend: `remove the line, or write one of ${Object.values(SETTING_KEYS)
    .map(({ name }) => name)
    .join(", ")}`,
  consequence: "line ignored",
};

/**
 * The settings after the file's assignments, the later one winning. A value that means nothing keeps the value
 * before it and gives a fault; so does a name that is no setting.
 */
export function applyAssignments(
  assignments: readonly ShellAssignment[],
  file: string,
): { settings: Settings; faults: ConfigFault[] } {
  let settings = DEFAULT_SETTINGS;
  const faults: ConfigFault[] = [];
  for (const { name, value, line } of assignments) {
    const found = Object.entries(SETTING_KEYS).find(([, key]) => key.name === name);
    if (found === undefined) {
      if (!WITHOUT_EFFECT.has(name)) faults.push({ file, line, key: name, ...UNKNOWN_NAME });
      continue;
    }
    const [field, key] = found;
    const read = key.read(value);
    if (read !== null) settings = { ...settings, [field]: read };
    else {
      faults.push({
        file,
        line,
        key: name,
        message: `wants ${key.wants}, found "${value}"`,
        mend: `write ${name}= with ${key.wants}, or remove the line for the default`,
        consequence: "the value before it stays",
      });
    }
  }
  return { settings, faults };
}

function text<T extends string | undefined>(
  name: string,
  standard: T,
  meaning: string,
): SettingKey<T | string> {
  return { name, default: standard, wants: "any text", meaning, read: (given) => given };
}

function path(name: string, standard: string, meaning: string): SettingKey<string> {
  const read = (given: string) => (given.startsWith("/") ? given : null);
  return { name, default: standard, wants: "an absolute path", meaning, read };
}

// logcheck acts on exactly the number 1.
function onOff(name: string, meaning: string): SettingKey<boolean> {
  const read = (given: string) => (given === "1" ? true : given === "0" ? false : null);
  return { name, default: false, wants: "1 or 0", meaning, read };
}
