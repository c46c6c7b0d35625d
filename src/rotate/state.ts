// When each log was last rotated: logrotate's own state file (versions 1 and 2 read, 2 written), so that either program
// can take over from the other. One bad line costs that line; the file is replaced whole or not at all.
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { type ConfigFault, describeError } from "../core/errors.ts";
import { carryAccess } from "../sys/files.ts";
import { LineBuffer } from "./linebuffer.ts";
import { textOf } from "./names/bytes.ts";

export type RotationState = {
  /** Path of the log → when it was last rotated, milliseconds since the epoch. */
  readonly stamps: Map<string, number>;
  readonly faults: readonly ConfigFault[];
};

const HEADER = "logrotate state -- version 2";
// A log name may be long, but no honest state line is longer than a path and a date.
const MAX_LINE = 16_384;
const YEAR_MS = 365 * 86_400_000;

/** Reads the text of a state file. Lines that make no sense are left out and reported. */
export function parseState(text: string, file: string): RotationState {
  const stamps = new Map<string, number>();
  const faults: ConfigFault[] = [];
  const lines = text.split("\n");
  const fault = (line: number, message: string): void => {
    faults.push({
      file,
      line,
      key: "",
      message,
      mend: "remove the line; the log counts as new and is rotated after its next full period",
      consequence: "line ignored",
    });
  };
  if (text === "") return { stamps, faults };
  if (!/^logrotate state -- version [12]$/.test(lines[0]!)) {
    faults.push({
      file,
      line: 1,
      key: "",
      message: `wants "${HEADER}", found ${JSON.stringify(lines[0]!.slice(0, 60))}`,
      mend: "check that this is the rotation state file, or remove it",
      consequence: "every log counts as new",
    });
    return { stamps, faults };
  }
  let lastText = "";
  let lastMs: number | null = null;
  lines.slice(1).forEach((line, i) => {
    if (line.trim() === "") return;
    const record = line.length > MAX_LINE ? null : RECORD.exec(line);
    if (record === null) {
      fault(i + 2, `wants a quoted path and a date, found ${JSON.stringify(line.slice(0, 80))}`);
      return;
    }
    const path = record[1] === undefined ? record[2]! : unquoted(record[1]);
    // All logs that were rotated together have one date.
    if (record[3] !== lastText) lastMs = parseStamp(record[3]!);
    lastText = record[3]!;
    const at = lastMs;
    if (at === null) {
      fault(
        i + 2,
        `wants a date such as 2026-11-22-6:25:1, found ${JSON.stringify(record[3]!.slice(0, 40))}`,
      );
    } else stamps.set(path, at);
  });
  return { stamps, faults };
}

// `"PATH" DATE`; version 1 wrote paths without quotes.
const RECORD = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))\s+(\S+)\s*$/;

// Inside the quotes a backslash stands before a quote or a backslash, and `\n` is a newline.
function unquoted(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

// `Y-M-D` or `Y-M-D-h:m:s`, local time.
function parseStamp(text: string): number | null {
  const hit = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:-(\d{1,2}):(\d{1,2}):(\d{1,2}))?$/.exec(text);
  if (hit === null) return null;
  const [year, month, day, hour, minute, second] = hit.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const plausible =
    (year === 1900 || (year >= 1996 && year <= 2100)) &&
    month >= 1 &&
    month <= 12 &&
    day <= 31 &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 61;
  return plausible ? new Date(year, month - 1, day, hour, minute, second).getTime() : null;
}

/** A state file, version 2. */
export function formatState(stamps: ReadonlyMap<string, number>): Buffer {
  const lines = new LineBuffer();
  lines.add(`${HEADER}\n`);
  // All logs of one run have one stamp.
  let lastMs = Number.NaN;
  let lastText = "";
  for (const [path, atMs] of stamps) {
    if (atMs !== lastMs) lastText = stampText(new Date(atMs));
    lastMs = atMs;
    lines.add(`"${quoted(path)}" ${lastText}\n`);
  }
  return lines.bytes;
}

function quoted(path: string): string {
  return /["\\\n]/.test(path) ? path.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n") : path;
}

function stampText(at: Date): string {
  return `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}-${at.getHours()}:${at.getMinutes()}:${at.getSeconds()}`;
}

/** Reads the state file; one that is not there is empty. An unreadable one is a fault, and every log counts as new. */
export function loadState(path: string): RotationState {
  if (path === "/dev/null") return { stamps: new Map(), faults: [] };
  try {
    return parseState(textOf(readFileSync(path)), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { stamps: new Map(), faults: [] };
    const fault: ConfigFault = {
      file: path,
      line: 0,
      key: "",
      message: `cannot be read: ${describeError(error)}`,
      mend: "check that it is a file and who may read it",
      consequence: "every log counts as new",
    };
    return { stamps: new Map(), faults: [fault] };
  }
}

/** Entries worth keeping: a log that is gone is remembered for a year after its last rotation. */
export function pruneState(stamps: Map<string, number>, used: ReadonlySet<string>, now: Date): void {
  for (const [path, at] of stamps) if (!used.has(path) && now.getTime() - at > YEAR_MS) stamps.delete(path);
}

/**
 * Replaces the state file, keeping its owner, access control list and mode (0640 for a new one), but for the right of all to
 * read it, and so to lock it (CVE-2022-1348). Throws when it cannot; then the old file is
 * as it was. A path that is not a regular file (`/dev/null`) is left alone; a link to one stays, and what it leads to is replaced.
 */
export function saveState(statePath: string, stamps: ReadonlyMap<string, number>): void {
  const path = behindLinks(statePath);
  const before = statOf(path);
  if (before !== null && !before.isFile()) return;
  const bytes = formatState(stamps);
  if (before !== null && holds(path, bytes)) {
    // Its time shows, to those who watch it, that rotation still runs.
    const now = Date.now() / 1000;
    utimesSync(path, now, now);
    if ((before.mode & READABLE_BY_ALL) !== 0) chmodSync(path, keptMode(before));
    return;
  }
  const temporary = `${path}.tmp`;
  const left = statOf(temporary);
  // What an interrupted run left; never something else that happens to stand there.
  if (left?.isFile()) unlinkSync(temporary);
  const fd = openSync(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    writeFileSync(fd, bytes);
    if (before !== null) {
      fchownSync(fd, before.uid, before.gid);
      carryAccessFrom(path, fd);
    }
    fchmodSync(fd, before === null ? 0o640 : keptMode(before));
    fsyncSync(fd);
    renameSync(temporary, path);
    syncDirectory(dirname(path));
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  } finally {
    closeSync(fd);
  }
}

const READABLE_BY_ALL = 0o004;

function keptMode(before: Stats): number {
  return before.mode & 0o7777 & ~READABLE_BY_ALL;
}

// Most runs rotate nothing: then nothing need be written, and no disk waited for.
function holds(path: string, bytes: Buffer): boolean {
  try {
    return readFileSync(path).equals(bytes);
  } catch {
    return false; // Whatever is wrong with it, it is replaced.
  }
}

function carryAccessFrom(path: string, fd: number): void {
  const source = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    carryAccess(source, fd);
  } finally {
    closeSync(source);
  }
}

// An administrator who keeps the state on another disk has put a link in its place.
function behindLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return path;
    throw error;
  }
}

function statOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** Makes renames in a directory survive a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
