// The part of a log that was not read before, by logtail2's own bookkeeping: an offset file holding an inode and a
// number of bytes. It keeps nothing else, so what can be found again after a rotation is limited by it.
import {
  type BigIntStats,
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { describeError } from "../core/errors.ts";

/** Where reading stopped. */
export type OffsetMark = { readonly inode: bigint; readonly offsetBytes: number };

/** A mark as it was found; `markedAtMs` is when it was made, milliseconds since the epoch. */
export type FoundMark = OffsetMark & { readonly markedAtMs: number };

/** What happened to a log since the mark was made. */
export type UnseenPart =
  /** A rotated generation that was not read to its end. */
  | { readonly from: "rotated"; readonly path: string; readonly startBytes: number }
  | { readonly from: "log"; readonly path: string; readonly startBytes: number };

export type UnseenPlan = {
  readonly parts: readonly UnseenPart[];
  /** Set when the log is smaller than what was read of it: its size at the mark and now. */
  readonly shrank?: { readonly fromBytes: number; readonly toBytes: number };
  /** The file that was being read is gone: what was written to it after the mark may be in a compressed or copied one. */
  readonly lost: boolean;
};

/** Why a log or its offset file could not be used; `status` is logtail2's exit status for it. */
export class LogtailError extends Error {
  readonly status: 65 | 66 | 73;

  constructor(status: 65 | 66 | 73, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "LogtailError";
    this.status = status;
  }
}

/** The lines that stand before the content of a log that became smaller than what was read of it. */
export function shrinkWarning(log: string): Uint8Array {
  return encoder.encode(
    "***************\n" +
      `*** WARNING ***: Log file ${log} is smaller than last time checked!\n` +
      "*************** This could indicate tampering.\n",
  );
}

const encoder = new TextEncoder();
const CHUNK_BYTES = 1 << 20;

/** The offset file's name for a log: `offset` and the path, with dots for slashes. */
export function offsetFileName(log: string): string {
  return `offset${log.replaceAll("/", ".")}`;
}

/** Reads an offset file. No file, or one that holds no numbers, is a mark at the beginning of nothing. */
export function readOffsetMark(path: string): FoundMark {
  let text = "";
  let markedAtMs = 0;
  try {
    text = readFileSync(path, "latin1");
    markedAtMs = statSync(path).mtimeMs;
  } catch {
    // logtail2 takes an offset file that it cannot open for one that is not there, and reads the log whole.
  }
  const [inode = "", offset = ""] = text.split("\n");
  return {
    inode: BigInt(/^\s*(\d{1,20})/.exec(inode)?.[1] ?? "0"),
    offsetBytes: Number(/^\s*(\d{1,15})/.exec(offset)?.[1] ?? "0"),
    markedAtMs,
  };
}

/**
 * Writes an offset file: two lines, inode and bytes. Throws LogtailError 73 when it cannot.
 * @param lookedAt when the log was read: lines that came later are newer than the file
 */
export function writeOffsetMark(path: string, mark: OffsetMark, lookedAt: Date): void {
  try {
    writeFileSync(path, `${mark.inode}\n${mark.offsetBytes}\n`, { mode: 0o600 });
    utimesSync(path, lookedAt, lookedAt);
  } catch (error) {
    throw new LogtailError(
      73,
      `File ${path} cannot be created. Check your permissions: ${reasonOf(error)}`,
      error,
    );
  }
}

/**
 * What of the log is unseen, without reading it yet; null when nothing is.
 * Throws LogtailError 66 when there is no such regular file.
 * @param followsRotation whether rotated generations are looked for; the first logtail knew none
 */
export function planUnseen(log: string, mark: FoundMark, followsRotation = true): UnseenPlan | null {
  const now = statLog(log);
  const size = Number(now.size);
  if (now.ino !== mark.inode || isReborn(now, mark)) {
    const rotated = followsRotation ? rotatedParts(log, mark) : [];
    return {
      parts: [...rotated, { from: "log", path: log, startBytes: 0 }],
      lost: mark.inode !== 0n && rotated.length === 0,
    };
  }
  if (mark.offsetBytes === size) return null;
  if (mark.offsetBytes < size) {
    return { parts: [{ from: "log", path: log, startBytes: mark.offsetBytes }], lost: false };
  }
  return {
    parts: [{ from: "log", path: log, startBytes: 0 }],
    shrank: { fromBytes: mark.offsetBytes, toBytes: size },
    lost: true,
  };
}

/**
 * Reads the planned parts and gives their bytes to `take`, which must not keep them. Returns the mark to write once
 * the bytes are dealt with. Throws LogtailError 66 when a part cannot be read.
 * @param room where the next bytes are to be read to, for a taker that wants them somewhere; never empty
 */
export function readUnseen(
  plan: UnseenPlan,
  take: (chunk: Uint8Array) => void,
  room: () => Uint8Array = roomOfOurOwn(),
): OffsetMark {
  let mark: OffsetMark = { inode: 0n, offsetBytes: 0 };
  for (const part of plan.parts) mark = readPart(part, take, room);
  return mark;
}

function roomOfOurOwn(): () => Uint8Array {
  const buffer = new Uint8Array(CHUNK_BYTES);
  return () => buffer;
}

function readPart(part: UnseenPart, take: (chunk: Uint8Array) => void, room: () => Uint8Array): OffsetMark {
  let fd: number;
  try {
    fd = openSync(part.path, "r");
  } catch (error) {
    throw new LogtailError(66, `File ${part.path} cannot be read: ${reasonOf(error)}`, error);
  }
  try {
    // Only what is there now: a writer that is faster than we are must not hold us here.
    const { ino, size } = fstatSync(fd, { bigint: true });
    let at = part.startBytes;
    while (at < Number(size)) {
      const buffer = room();
      const got = readSync(fd, buffer, 0, Math.min(buffer.length, Number(size) - at), at);
      if (got === 0) break;
      take(buffer.subarray(0, got));
      at += got;
    }
    return { inode: ino, offsetBytes: at };
  } catch (error) {
    throw new LogtailError(66, `File ${part.path} cannot be read: ${reasonOf(error)}`, error);
  } finally {
    closeSync(fd);
  }
}

function statLog(log: string): BigIntStats {
  let found: BigIntStats;
  try {
    found = statSync(log, { bigint: true });
  } catch (error) {
    throw new LogtailError(66, `File ${log} cannot be read: ${reasonOf(error)}`, error);
  }
  if (!found.isFile()) throw new LogtailError(66, `File ${log} cannot be read: it is not a regular file`);
  return found;
}

// A file system gives the inode of a removed file to the next one. logtail2 takes the new file for the old one, and skips
// its beginning or cries tampering; a file that was made after the mark is not the one that was marked.
function isReborn(now: BigIntStats, mark: FoundMark): boolean {
  // Where the kernel does not tell the time of birth, libuv gives the time of change, or 0.
  if (now.birthtimeNs === now.ctimeNs) return false;
  return Number(now.birthtimeMs) > mark.markedAtMs + BIRTH_MARGIN_MS;
}

// Marks are rounded to milliseconds, and the kernel stamps files by a clock that ticks every few.
const BIRTH_MARGIN_MS = 50;

// The generation that was being read when the mark was made, from there on, and every newer generation whole: several
// rotations between two runs lose nothing. logtail2 knows only the newest generation, and gives up when it is another.
function rotatedParts(log: string, mark: OffsetMark): UnseenPart[] {
  if (mark.inode === 0n) return [];
  const generations = plainGenerations(log);
  const marked = generations.find(({ stats }) => stats.ino === mark.inode);
  if (marked === undefined) return [];
  const newer = generations
    .filter(({ stats }) => stats.ino !== mark.inode && stats.mtimeNs > marked.stats.mtimeNs)
    .sort((a, b) => (a.stats.mtimeNs < b.stats.mtimeNs ? -1 : 1));
  return [
    { from: "rotated", path: marked.path, startBytes: mark.offsetBytes },
    ...newer.map(({ path }): UnseenPart => ({ from: "rotated", path, startBytes: 0 })),
  ];
}

/** Rotated, not compressed: savelog's and logrotate's numbers, and dateext's dates. */
const GENERATION = /^(\.\d{1,6}|-\d{8}(\d{2}|-\d{1,10})?)$/;

function plainGenerations(log: string): { path: string; stats: BigIntStats }[] {
  const folder = dirname(log);
  const name = basename(log);
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch (error) {
    throw new LogtailError(65, `Cannot open directory ${folder}: ${reasonOf(error)}`, error);
  }
  return entries
    .filter((entry) => entry.startsWith(name) && GENERATION.test(entry.slice(name.length)))
    .flatMap((entry) => {
      const path = join(folder, entry);
      const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stats?.isFile() === true ? [{ path, stats }] : [];
    });
}

/** The system's words for an error, as perl prints `$!`. */
function reasonOf(error: unknown): string {
  const text = describeError(error);
  const match = /^[A-Z0-9]+: ([^,]+),/.exec(text);
  if (match === null) return text;
  return match[1]!.charAt(0).toUpperCase() + match[1]!.slice(1);
}
