// The spool's files: one report each, complete or not there at all, readable by nobody else.
import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describeError, MissingPartError } from "../../core/errors.ts";
import type { Attachment, Message } from "../types.ts";
import type { Owed } from "./decide.ts";

const FORMAT = 1;
const NAME = /^[0-9a-zA-Z-]{1,64}\.json$/;

// An honest report with its attachments is a few megabytes at most.
const MAX_FILE_BYTES = 64_000_000;

/** A report that waits, with what is owed to each route. */
export type Waiting = { readonly message: Message; readonly owed: readonly Owed[] };

/** A file of the spool, by name; names sort by the time of the report, because ids do. */
export type SpoolFile = { readonly name: string; readonly sizeBytes: number };

/**
 * Makes the directory, or checks the one that is there: ours, no link, nobody else's to read.
 * @throws MissingPartError when it cannot be had so
 */
export function prepareDirectory(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const facts = lstatSync(dir);
    if (!facts.isDirectory()) throw new Error("it is no directory of its own");
    if (facts.uid !== process.geteuid!()) throw new Error("it belongs to somebody else");
    if ((facts.mode & 0o077) !== 0) chmodSync(dir, 0o700);
  } catch (error) {
    throw new MissingPartError(
      "report",
      `${dir} cannot hold undelivered reports: ${describeError(error)}`,
      `make ${dir} a directory with mode 0700 that belongs to telltale's user`,
      error,
    );
  }
  sweep(dir);
}

// Files that were no report, kept for a person to look at.
const MAX_BROKEN = 20;

// Writing one takes a moment; what is older was left by a crash and never promised to anybody.
const PART_AGE_MS = 3_600_000;

function sweep(dir: string): void {
  const names = readdirSync(dir).sort();
  const broken = names.filter((name) => name.endsWith(".broken"));
  const parts = names.filter((name) => {
    const facts = name.endsWith(".part") ? statSync(join(dir, name), { throwIfNoEntry: false }) : undefined;
    // Another process may be writing it right now, so age decides, by the clock that stamped it.
    return facts !== undefined && Date.now() - facts.mtimeMs > PART_AGE_MS;
  });
  for (const name of [...broken.slice(0, -MAX_BROKEN), ...parts]) rmSync(join(dir, name), { force: true });
}

/** The reports that wait, oldest first. */
export function listReports(dir: string): SpoolFile[] {
  const found: SpoolFile[] = [];
  for (const name of readdirSync(dir).sort()) {
    if (!NAME.test(name)) continue;
    const facts = statSync(join(dir, name), { throwIfNoEntry: false });
    if (facts?.isFile()) found.push({ name, sizeBytes: facts.size });
  }
  return found;
}

/** The file name of a report. */
export function nameOf(id: string): string {
  return `${id.replace(/[^0-9a-zA-Z-]/g, "").slice(0, 64) || "report"}.json`;
}

/** Writes a report so that a crash leaves the old file or the new one; returns its size in bytes. */
export function writeReport(dir: string, waiting: Waiting): number {
  const name = nameOf(waiting.message.id);
  const bytes = Buffer.from(JSON.stringify(packed(waiting)));
  const part = join(dir, `${name}.${process.pid}.part`);
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const file = openSync(part, flags, 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(part, join(dir, name));
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
  syncDirectory(dir);
  return bytes.length;
}

/** Removes a report that owes nothing any more, or that must make room. */
export function removeReport(dir: string, name: string): void {
  rmSync(join(dir, name), { force: true });
}

/** Reads a report; null when another process has delivered it meanwhile. Throws when the file is no report. */
export function readReport(dir: string, name: string): Waiting | null {
  const path = join(dir, name);
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return null;
  if (facts.size > MAX_FILE_BYTES) throw new Error(`${facts.size} bytes, more than ${MAX_FILE_BYTES}`);
  return unpacked(JSON.parse(readFileSync(path, "utf8")));
}

/** Puts a file that is no report out of the way, for a person to look at. */
export function setAside(dir: string, name: string): void {
  renameSync(join(dir, name), join(dir, `${name}.broken`));
}

function syncDirectory(dir: string): void {
  const handle = openSync(dir, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function packed({ message, owed }: Waiting): unknown {
  const attachments = message.attachments?.map((each) => ({
    ...each,
    content: Buffer.from(each.content).toString("base64"),
  }));
  return { format: FORMAT, owed, message: { ...message, attachments } };
}

function unpacked(value: unknown): Waiting {
  const read = record(value, "the file");
  if (read["format"] !== FORMAT)
    throw new Error(`format ${String(read["format"])}, this telltale reads ${FORMAT}`);
  const message = record(read["message"], "message");
  const html = message["html"] === undefined ? {} : { html: text(message, "html") };
  const attachments =
    message["attachments"] === undefined ? {} : { attachments: list(message, "attachments").map(attachment) };
  return {
    message: {
      id: text(message, "id"),
      host: text(message, "host"),
      at: text(message, "at"),
      subject: text(message, "subject"),
      text: text(message, "text"),
      ...html,
      ...attachments,
      urgent: message["urgent"] === true,
    },
    owed: list(read, "owed").map((each) => {
      const one = record(each, "owed");
      return {
        route: text(one, "route"),
        attempts: typeof one["attempts"] === "number" ? one["attempts"] : 0,
        nextAt: text(one, "nextAt"),
        why: text(one, "why"),
      };
    }),
  };
}

function attachment(value: unknown): Attachment {
  const one = record(value, "attachment");
  const cid = one["cid"] === undefined ? {} : { cid: text(one, "cid") };
  return {
    name: text(one, "name"),
    type: text(one, "type"),
    content: Buffer.from(text(one, "content"), "base64"),
    ...cid,
  };
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Error(`${what} is no object`);
}

function list(value: Record<string, unknown>, key: string): unknown[] {
  const found = value[key];
  if (Array.isArray(found)) return found;
  throw new Error(`${key} is no list`);
}

function text(value: Record<string, unknown>, key: string): string {
  const found = value[key];
  if (typeof found === "string") return found;
  throw new Error(`${key} is no text`);
}
