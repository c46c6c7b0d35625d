// Reads which logs logcheck watches and how it is set up, from the files it already has on the machine.
import { globSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type ConfigFault, describeError } from "../core/errors.ts";
import { isBlank } from "./blanks/match.ts";
import { parseShellAssignments } from "./conf/parse.ts";
import { formatDate } from "./datetext.ts";
import {
  applyAssignments,
  DEFAULT_SETTINGS,
  type Settings,
  SHELL_DEFAULTS,
  SUBJECT_DATE,
} from "./settings.ts";
import type { Locale } from "./types.ts";

/** logcheck.conf and the lists of logs, read together. */
export type LogcheckConfig = Settings & {
  readonly faults: readonly ConfigFault[];
  /** The logs to read, in the order they are listed, wildcards expanded. They may not exist. */
  readonly logfiles: readonly string[];
  /** Whether the word `journal` is listed. */
  readonly journal: boolean;
};

/** What the lists of logs name. */
export type LogList = Pick<LogcheckConfig, "faults" | "logfiles" | "journal"> & {
  /** The entries as listed, `journal` among them, in order. */
  readonly entries: readonly string[];
};

/** The entry that stands for the systemd journal. */
export const JOURNAL_ENTRY = "journal";

/**
 * Reads `logcheck.conf`, `logcheck.logfiles` and `logcheck.logfiles.d/*.logfiles` in `dir` (`/etc/logcheck`).
 * Never throws: what is missing or cannot be used is a fault, and defaults stand in.
 * @param now the time that `DATE="$(date …)"` means
 */
export function readLogcheckConfig(dir: string, now: Date = new Date()): LogcheckConfig {
  const conf = readSettings(join(dir, "logcheck.conf"), now);
  const { logFilesList, logFilesListDir } = conf.settings;
  const logs = readLogLists(
    logFilesList === DEFAULT_SETTINGS.logFilesList ? join(dir, "logcheck.logfiles") : logFilesList,
    logFilesListDir === DEFAULT_SETTINGS.logFilesListDir ? join(dir, "logcheck.logfiles.d") : logFilesListDir,
    "C.UTF-8",
  );
  return {
    ...conf.settings,
    logfiles: logs.logfiles,
    journal: logs.journal,
    faults: [...conf.faults, ...logs.faults],
  };
}

/** Reads one logcheck.conf. A file that is not there means the defaults, as it does to logcheck. */
export function readSettings(file: string, now: Date): { settings: Settings; faults: ConfigFault[] } {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { settings: DEFAULT_SETTINGS, faults: [] };
    return {
      settings: DEFAULT_SETTINGS,
      faults: [unreadable(file, error, "logcheck's defaults are in force")],
    };
  }
  const reading = parseShellAssignments(text, {
    file,
    formatDate: (format) => formatDate(format, now),
    variables: new Map([
      ...SHELL_DEFAULTS,
      ["HOSTNAME", hostname()],
      ["DATE", formatDate(SUBJECT_DATE, now)],
    ]),
  });
  const applied = applyAssignments(reading.assignments, file);
  const faults = [...reading.faults, ...applied.faults].sort((a, b) => a.line - b.line);
  return { settings: applied.settings, faults };
}

/** Reads a list of logs and the lists in a directory beside it: one path, with wildcards, or `journal` per line. */
export function readLogLists(list: string, listDir: string, locale: Locale): LogList {
  const faults: ConfigFault[] = [];
  const entries: string[] = [];
  for (const file of [list, ...listsIn(listDir, faults)]) {
    try {
      entries.push(...listEntries(readFileSync(file), locale).flatMap(expandWildcards));
    } catch (error) {
      faults.push(unreadable(file, error, "the logs it lists are not read"));
    }
  }
  return {
    faults,
    entries,
    logfiles: [...new Set(entries)].filter((entry) => entry !== JOURNAL_ENTRY),
    journal: entries.includes(JOURNAL_ENTRY),
  };
}

function listsIn(dir: string, faults: ConfigFault[]): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith(".logfiles") && !name.startsWith("."))
      .sort()
      .map((name) => join(dir, name));
  } catch (error) {
    // What is no directory holds no lists: `-D /dev/null` is how one says that there are none.
    const none = ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
    if (!none) faults.push(unreadable(dir, error, "the lists in it are not read"));
    return [];
  }
}

function listEntries(text: Uint8Array, locale: Locale): string[] {
  const entries: string[] = [];
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(0x0a, start);
    const end = newline < 0 ? text.length : newline;
    if (text[start] !== 0x23 && !isBlank(text, start, end, locale)) {
      entries.push(new TextDecoder().decode(text.subarray(start, end)));
    }
    start = end + 1;
  }
  return entries;
}

// logcheck leaves the lines unquoted in a shell with nullglob, so a wildcard that finds nothing names nothing.
// Braces and `**` mean nothing special there.
function expandWildcards(entry: string): string[] {
  if (!/[*?[]/.test(entry)) return [entry];
  const pattern = entry.replace(/\*\*+/g, "*").replace(/[{}]/g, "[$&]");
  return globSync(pattern).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function unreadable(file: string, error: unknown, consequence: string): ConfigFault {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  return {
    file,
    line: 0,
    key: "",
    message: missing ? "does not exist" : `cannot be read: ${describeError(error)}`,
    mend: missing ? "create it, empty if need be" : `let the group logcheck read it: chgrp logcheck ${file}`,
    consequence,
  };
}
