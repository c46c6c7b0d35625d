// How far a log was read, in a form that finds the place again after the file was renamed, copied, compressed or
// moved to another disk: the file by its device, inode and first bytes, the place by the bytes just before it.
import { hash } from "node:crypto";

/** Hash of some bytes of a log, and how many. */
export type Fingerprint = { readonly bytes: number; readonly hash: string };

/** A place in one incarnation of a log. Offsets of a compressed generation count uncompressed bytes. */
export type Spot = {
  readonly device: string;
  readonly inode: string;
  readonly offset: number;
  /** Of the first bytes of the file, at most HEAD_BYTES. */
  readonly head: Fingerprint;
  /** Of the last bytes before the offset, at most NEAR_BYTES. */
  readonly near: Fingerprint;
  /** Of the file when it was read last, milliseconds of the epoch. */
  readonly mtimeMs: number;
  /** The offset is inside an over-long line whose beginning was delivered. */
  readonly cut?: true;
};

/** A file that was rotated away, to which its writer may still add lines until it is told to reopen. */
export type Draining = { readonly spot: Spot; readonly sinceMs: number };

export type FileCursor = {
  readonly v: 1;
  /** Null: the log was looked for and did not exist, so whatever appears is new from its first byte. */
  readonly spot: Spot | null;
  readonly draining: readonly Draining[];
  /** When it was looked for in vain, milliseconds of the epoch. */
  readonly absentMs?: number;
};

// A log's first lines carry its first timestamps: the first kilobyte tells two incarnations apart.
export const HEAD_BYTES = 1_024;

// A file that begins with a constant header and has grown past the old place is told by what stands before it.
export const NEAR_BYTES = 256;

/** The fingerprint of these bytes. */
export function fingerprint(bytes: Uint8Array): Fingerprint {
  return { bytes: bytes.length, hash: hash("sha256", bytes, "hex").slice(0, 32) };
}

/** Whether the first bytes of `bytes` are those of the fingerprint. */
export function beginsWith(bytes: Uint8Array, print: Fingerprint): boolean {
  if (bytes.length < print.bytes) return false;
  return fingerprint(bytes.subarray(0, print.bytes)).hash === print.hash;
}

/** Reads a stored cursor; null for anything this version did not write, which then counts as a log never seen. */
export function readCursor(value: unknown): FileCursor | null {
  if (!isRecord(value) || value["v"] !== 1 || !Array.isArray(value["draining"])) return null;
  const spot = value["spot"] === null ? null : readSpot(value["spot"]);
  if (spot === undefined) return null;
  const draining: Draining[] = [];
  for (const entry of value["draining"] as unknown[]) {
    const drain = isRecord(entry) ? readSpot(entry["spot"]) : undefined;
    if (drain !== undefined && isRecord(entry) && typeof entry["sinceMs"] === "number") {
      draining.push({ spot: drain, sinceMs: entry["sinceMs"] });
    }
  }
  const { absentMs } = value;
  return { v: 1, spot, draining, ...(typeof absentMs === "number" ? { absentMs } : {}) };
}

function readSpot(value: unknown): Spot | undefined {
  if (!isRecord(value)) return undefined;
  const { device, inode, offset, mtimeMs, cut } = value;
  const head = readFingerprint(value["head"]);
  const near = readFingerprint(value["near"]);
  if (typeof device !== "string" || typeof inode !== "string" || typeof mtimeMs !== "number")
    return undefined;
  if (!isCount(offset) || head === undefined || near === undefined) return undefined;
  if (head.bytes > HEAD_BYTES || near.bytes > NEAR_BYTES || near.bytes > offset) return undefined;
  return { device, inode, offset, head, near, mtimeMs, ...(cut === true ? { cut } : {}) };
}

function readFingerprint(value: unknown): Fingerprint | undefined {
  if (!isRecord(value) || !isCount(value["bytes"]) || typeof value["hash"] !== "string") return undefined;
  return { bytes: value["bytes"], hash: value["hash"] };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
