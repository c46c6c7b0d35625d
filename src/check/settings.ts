// Every variable that logcheck.conf may set, with logcheck's default and what values mean something. The reader of the
// file, the drop-in face and the manual all take it from here.
import type { ConfigFault } from "../core/errors.ts";
import type { ShellAssignment } from "./conf/parse.ts";
import type { ReportLevel } from "./types.ts";

/** logcheck's settings, named as in logcheck.conf. */
export type Settings = {
  readonly level: ReportLevel;
  readonly sendmailto: string;
  /** The date in subjects, when the file sets one; otherwise the time of the run. */
  readonly date: string | undefined;
  /** Whether header.txt and footer.txt surround the report. */
  readonly intro: boolean;
  /** 0: the report is the mail; 1: attached; 2: attached and compressed by gzip. */
  readonly mailAsAttach: 0 | 1 | 2;
  readonly fqdn: boolean;
  /** Sort whole lines and drop repeats, instead of sorting by the first three fields. */
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
  /** Check only this log; "" for all that are listed. */
  readonly logFile: string;
  readonly logFilesList: string;
  readonly logFilesListDir: string;
  readonly syslogSummaryCommand: string;
};

type Change = Partial<Settings> | string;

type Key = {
  readonly name: string;
  /** What the value changes, or in words what it should have been. */
  readonly read: (value: string) => Change;
};

/** logcheck 1.4's own values, before logcheck.conf speaks. */
export const DEFAULT_SETTINGS: Settings = {
  level: "server",
  sendmailto: "root",
  date: undefined,
  intro: true,
  mailAsAttach: 0,
  fqdn: false,
  sortUniq: false,
  supportCrackingIgnore: false,
  syslogSummary: false,
  addTag: false,
  attackSubject: "Security Alerts",
  securitySubject: "Security Events",
  eventsSubject: "System Events",
  ruleDir: "/etc/logcheck",
  stateDir: "/var/lib/logcheck",
  tmp: "/tmp",
  lockFile: "/run/lock/logcheck/logcheck",
  logFile: "",
  logFilesList: "/etc/logcheck/logcheck.logfiles",
  logFilesListDir: "/etc/logcheck/logcheck.logfiles.d",
  syslogSummaryCommand: "/usr/bin/syslog-summary",
};

/** The subset of names that hold a switch: logcheck acts on exactly the number 1. */
type Switch = "fqdn" | "sortUniq" | "supportCrackingIgnore" | "syslogSummary";

const KEYS: readonly Key[] = [
  {
    name: "REPORTLEVEL",
    read: (value) => (isLevel(value) ? { level: value } : "workstation, server or paranoid"),
  },
  { name: "SENDMAILTO", read: (sendmailto) => (sendmailto === "" ? "an address" : { sendmailto }) },
  { name: "DATE", read: (date) => ({ date }) },
  { name: "INTRO", read: readIntro },
  { name: "MAILASATTACH", read: readAttach },
  onOff("FQDN", "fqdn"),
  onOff("SORTUNIQ", "sortUniq"),
  onOff("SUPPORT_CRACKING_IGNORE", "supportCrackingIgnore"),
  onOff("SYSLOGSUMMARY", "syslogSummary"),
  {
    name: "ADDTAG",
    read: (value) => (value === "yes" || value === "no" ? { addTag: value === "yes" } : "yes or no"),
  },
  { name: "ATTACKSUBJECT", read: (attackSubject) => ({ attackSubject }) },
  { name: "SECURITYSUBJECT", read: (securitySubject) => ({ securitySubject }) },
  { name: "EVENTSSUBJECT", read: (eventsSubject) => ({ eventsSubject }) },
  { name: "RULEDIR", read: absolute((ruleDir) => ({ ruleDir })) },
  { name: "STATEDIR", read: absolute((stateDir) => ({ stateDir })) },
  { name: "TMP", read: absolute((tmp) => ({ tmp })) },
  { name: "LOCKFILE", read: absolute((lockFile) => ({ lockFile })) },
  { name: "LOGFILE", read: (logFile) => ({ logFile }) },
  { name: "LOGFILES_LIST", read: absolute((logFilesList) => ({ logFilesList })) },
  { name: "LOGFILES_LIST_D", read: absolute((logFilesListDir) => ({ logFilesListDir })) },
  { name: "SYSLOG_SUMMARY", read: absolute((syslogSummaryCommand) => ({ syslogSummaryCommand })) },
];

// Variables that do something in logcheck's script but have nothing to do here: they are no mistake. MIMEENCODING is
// among them because our mail is quoted-printable, which every mailer and every mail program takes.
const WITHOUT_EFFECT = new Set([
  ...["PATH", "LANG", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_TIME", "TMPDIR", "HOSTNAME"],
  ...["LOCKDIR", "LOGTAIL", "LOGTAIL_OPTS", "LOGFILE_FALLBACK", "MAILOUT", "REBOOT", "NOCLEANUP"],
  ...["LOGCHECKDEBUG", "SORT", "MAILTO", "MIMEENCODING"],
]);

/** The names that logcheck.conf may set. */
export const SETTING_NAMES: readonly string[] = KEYS.map((key) => key.name);

const UNKNOWN_NAME = {
  message: "is no setting of logcheck's that is read here",
  mend: `remove the line, or write one of ${SETTING_NAMES.join(", ")}`,
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
    const key = KEYS.find((known) => known.name === name);
    if (key === undefined) {
      if (WITHOUT_EFFECT.has(name)) continue;
      faults.push({ file, line, key: name, ...UNKNOWN_NAME });
      continue;
    }
    const change = key.read(value);
    if (typeof change !== "string") settings = { ...settings, ...change };
    else {
      faults.push({
        file,
        line,
        key: name,
        message: `wants ${change}, found "${value}"`,
        mend: `write ${name}= with ${change}, or remove the line for the default`,
        consequence: "the value before it stays",
      });
    }
  }
  return { settings, faults };
}

function isLevel(value: string): value is ReportLevel {
  return value === "workstation" || value === "server" || value === "paranoid";
}

function readIntro(value: string): Change {
  if (value === "" || value === "yes" || value === "1") return { intro: true };
  return value === "no" || value === "0" ? { intro: false } : "1, 0, yes or no";
}

function readAttach(value: string): Change {
  if (value === "0" || value === "1" || value === "2") return { mailAsAttach: Number(value) as 0 | 1 | 2 };
  return "0, 1 or 2";
}

function onOff(name: string, field: Switch): Key {
  const read = (value: string): Change =>
    value === "1" || value === "0" ? { [field]: value === "1" } : "1 or 0";
  return { name, read };
}

function absolute(change: (path: string) => Partial<Settings>): (value: string) => Change {
  return (value) => (value.startsWith("/") ? change(value) : "an absolute path");
}
