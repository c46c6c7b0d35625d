// logcheck's rules and lists of logs are read where they are; what its configuration says of the report, and its crontab of
// the time, becomes keys of telltale's.
import { parseShellAssignments } from "../../check/conf/parse.ts";
import { formatDate } from "../../check/datetext.ts";
import { parseSchedule } from "../../core/schedule.ts";
import type { Files } from "./files.ts";
import type { Fate, Note, Wish } from "./types.ts";

const FOLDER = "/etc/logcheck";
const CONFIG = `${FOLDER}/logcheck.conf`;
const CRONTAB = "/etc/cron.d/logcheck";
const RULES = ["cracking", "violations", "violations.ignore", "cracking.ignore"]
  .map((name) => `${name}.d`)
  .concat(["ignore.d.paranoid", "ignore.d.server", "ignore.d.workstation"]);

type Ruling = readonly [fate: Fate, because: string, key?: Wish["key"]];

// What telltale's own report does with each variable of logcheck.conf; the logcheck face honours them all.
const RULINGS: Readonly<Record<string, Ruling>> = {
  REPORTLEVEL: ["honoured", "becomes check.level", "check.level"],
  SENDMAILTO: ["honoured", "becomes report.to", "report.to"],
  SUPPORT_CRACKING_IGNORE: ["honoured", "telltale reads this file itself"],
  RULEDIR: ["honoured", "becomes check.rules", "check.rules"],
  SORTUNIQ: ["changed", "telltale folds lines that are alike and counts them"],
  MAILASATTACH: ["changed", "the whole text is attached, compressed, when the report folds it"],
  DATE: ["changed", "the subject of telltale's report says what happened"],
  FQDN: ["changed", "the subject names the host as the system does"],
  ADDTAG: ["changed", "the subject always begins with the program and the host"],
  ATTACKSUBJECT: ["changed", "telltale words its own headings"],
  SECURITYSUBJECT: ["changed", "telltale words its own headings"],
  EVENTSSUBJECT: ["changed", "telltale words its own headings"],
  INTRO: ["unsupported", "telltale's report has no header.txt and footer.txt; telltale logcheck has"],
  SYSLOGSUMMARY: ["unsupported", "lines that are alike are folded anyway"],
  SYSLOG_SUMMARY: ["unsupported", "lines that are alike are folded anyway"],
  STATEDIR: ["changed", "how far each log was read is kept in store.directory"],
  TMP: ["changed", "lines are read as they come; nothing is kept in temporary files"],
  LOCKFILE: ["changed", "the guard keeps a lock of its own"],
  LOGFILE: ["unsupported", "list the log in logcheck.logfiles or in check.logs"],
  LOGFILES_LIST: ["honoured", "telltale reads this file itself"],
  LOGFILES_LIST_D: ["honoured", "telltale reads this file itself"],
};

/** Takes down logcheck.conf, the lists of logs, the rule directories and the crontab. */
export function importLogcheck(files: Files, note: Note): void {
  readConfig(files, note);
  for (const file of [`${FOLDER}/logcheck.logfiles`, ...files.list(`${FOLDER}/logcheck.logfiles.d`)]) {
    if (file.endsWith("logfiles")) readLogs(file, files, note);
  }
  for (const name of RULES) {
    const folder = `${FOLDER}/${name}`;
    const count = files.list(folder).length;
    if (count === 0) continue;
    const at = {
      file: folder,
      line: 0,
      name: `${count} ${count === 1 ? "file" : "files"} of rules`,
      value: "",
    };
    note(at, "honoured", "telltale reads them itself");
  }
  readCrontab(files, note);
}

function readConfig(files: Files, note: Note): void {
  const text = files.read(CONFIG);
  if (text === null) return;
  // The import changes nothing with time: a date in the subject is only looked at.
  const reading = parseShellAssignments(text, {
    file: CONFIG,
    formatDate: (format) => formatDate(format, new Date(0)),
  });
  for (const { name, value, line } of reading.assignments) {
    const [fate, because, key] = RULINGS[name] ?? (["unsupported", "means nothing to telltale"] as const);
    const said = name === "RULEDIR" && value === FOLDER ? undefined : key;
    note(
      { file: CONFIG, line, name, value },
      fate,
      because,
      ...(said === undefined ? [] : [{ key: said, value }]),
    );
  }
  for (const { line, key, message, mend } of reading.faults) {
    note({ file: CONFIG, line, name: key, value: "" }, "unsupported", `${message}; ${mend}`);
  }
}

function readLogs(file: string, files: Files, note: Note): void {
  for (const [index, line] of (files.read(file) ?? "").split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    note(
      { file, line: index + 1, name: "log", value: line },
      "honoured",
      "followed; telltale reads this list itself",
    );
  }
}

// crontab(5) of /etc/cron.d: five fields or @NICKNAME, a user, a command.
function readCrontab(files: Files, note: Note): void {
  for (const [index, line] of (files.read(CRONTAB) ?? "").split("\n").entries()) {
    const job = /^\s*(@\w+|(?:[^\s#@]\S*\s+){4}\S+)\s+\S+\s+(.*\blogcheck\b.*)$/.exec(line);
    if (job === null || /^\s*\w+\s*=/.test(line)) continue;
    const [, when, command] = job;
    const at = { file: CRONTAB, line: index + 1, name: when!, value: command! };
    if (when === "@reboot") note(at, "honoured", "the guard goes on where it stopped, also after a restart");
    else if ("fault" in parseSchedule(when!)) note(at, "unsupported", "is no time that telltale understands");
    else
      note(at, "honoured", "becomes report.every", {
        key: "report.every",
        value: when!.replace(/\s+/g, " "),
      });
  }
}
