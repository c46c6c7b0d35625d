// Compresses one generation: into a new file that nobody may read sooner or wider than the old one, made durable before the
// old one goes. What gzip would do is done here (small files at once, since starting gzip costs more than the work; large ones
// by libdeflate where it is installed), everything else by the named command.
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  futimesSync,
  openSync,
  read,
  readFileSync,
  readSync,
  type Stats,
  write,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { type GzipMaker, gzipMaker } from "../sys/deflate.ts";
import { runCommand } from "./command.ts";
import type { Directories } from "./directories.ts";
import { withIdentity } from "./identity.ts";
import { createPart, finishPart, partName, removeIfThere } from "./newfile.ts";
import { splitWords } from "./syntax/parse.ts";
import type { Compressor, Identity } from "./types.ts";

// Up to this size compressing here blocks the program for less than a tenth of a second at zlib's 30 MB/s.
const IN_PROCESS_BYTES = 2 * 1024 * 1024;

// Larger pieces compress no better: 4 MiB is 128 times deflate's window.
const PIECE_BYTES = 4 * 1024 * 1024;

const fsyncDurably = promisify(fsync);
const readLater = promisify(read);
const writeLater = promisify(write);

export type CompressWork = {
  readonly from: string;
  readonly to: string;
  readonly with: Compressor;
  readonly times: Pick<Stats, "atimeMs" | "mtimeMs"> | null;
  readonly identity: Identity | null;
  readonly stamp: string;
  readonly signal?: AbortSignal | undefined;
};

/** What stands there is a pipe or the like. The words are logrotate's, which monitoring looks for. */
export class NotCompressibleError extends Error {
  constructor(path: string) {
    super(`unable to open ${path} (read-only) for compression: Operation not supported: not a regular file`);
    this.name = "NotCompressibleError";
  }
}

export type Compressed = {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** What a compressor that succeeded said on its stderr, or "". */
  readonly remark: string;
};

/**
 * Compresses `from` into `to` with its owner, mode and times, and leaves `from` to be removed by the caller once this
 * returns. Throws when it cannot; then `to` is gone and `from` as it was. A file in the way of `to` is moved aside.
 */
export async function compressFile(work: CompressWork, directories: Directories): Promise<Compressed> {
  const { identity } = work;
  const source = withIdentity(identity, () =>
    openSync(directories.at(work.from), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  const part = partName(work.to);
  let target = -1;
  try {
    const stat = fstatSync(source);
    if (!stat.isFile()) throw new NotCompressibleError(work.from);
    target = withIdentity(identity, () => createPart(part, stat, source, directories));
    const remark = await writeCompressed(work, source, target, stat.size);
    const { atimeMs, mtimeMs } = work.times ?? stat;
    withIdentity(identity, () => futimesSync(target, atimeMs / 1000, mtimeMs / 1000));
    if (directories.isDurable(work.to)) await fsyncDurably(target);
    withIdentity(identity, () => finishPart(part, work.to, work.stamp, directories));
    return { bytesIn: stat.size, bytesOut: fstatSync(target).size, remark };
  } catch (error) {
    if (target >= 0) withIdentity(identity, () => removeIfThere(directories.at(part)));
    throw error;
  } finally {
    closeSync(source);
    if (target >= 0) closeSync(target);
  }
}

// Returns what the compressor said.
async function writeCompressed(
  work: CompressWork,
  source: number,
  target: number,
  sizeBytes: number,
): Promise<string> {
  const level = gzipLevel(work.with);
  if (level !== null && sizeBytes <= IN_PROCESS_BYTES) {
    const bytes = readWhole(source);
    const maker = bytes.length > IN_PROCESS_BYTES ? null : smallMaker(level);
    writeAll(target, maker?.memberNow(bytes) ?? gzipSync(bytes, { level, ...frugal(bytes.length) }));
    return "";
  }
  using maker = level === null ? null : gzipMaker(level, PIECE_BYTES);
  if (maker !== null) {
    await writeMembers(maker, source, target, work.signal);
    return "";
  }
  const words = splitWords(work.with.command) as [string, ...string[]];
  const result = await runCommand([...words, ...work.with.options] as [string, ...string[]], {
    stdin: source,
    stdout: target,
    identity: work.identity,
    background: true,
    // logrotate(8) promises the compressor the name of what it reads.
    env: { LOGROTATE_COMPRESSED_FILENAME: work.from },
    signal: work.signal,
  });
  if (!result.ok) {
    throw new Error(
      `${work.with.command}: ${result.why}${result.output === "" ? "" : `: ${result.output.trim()}`}`,
    );
  }
  return result.output.trim();
}

// Piece by piece, so that memory does not grow with the file; reading, compressing and writing all happen off the main thread.
async function writeMembers(
  maker: GzipMaker,
  source: number,
  target: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  for (;;) {
    signal?.throwIfAborted();
    let size = 0;
    for (let count = -1; count !== 0 && size < piece.length; size += count) {
      count = (await readLater(source, piece, size, piece.length - size, null)).bytesRead;
    }
    if (size === 0) return;
    const member = await maker.member(piece.subarray(0, size));
    for (let at = 0; at < member.length; ) {
      at += (await writeLater(target, member, at, member.length - at, null)).bytesWritten;
    }
  }
}

// One maker for each level, kept: setting one up costs as much as a small file does.
const smallMakers = new Map<number, GzipMaker | null>();

function smallMaker(level: number): GzipMaker | null {
  let maker = smallMakers.get(level);
  if (maker === undefined) {
    maker = gzipMaker(level, IN_PROCESS_BYTES);
    smallMakers.set(level, maker);
  }
  return maker;
}

let lent: Buffer | null = null;

// The file in a buffer that the next call overwrites: thousands of small files would otherwise leave as many buffers behind.
function readWhole(fd: number): Uint8Array {
  lent ??= Buffer.allocUnsafeSlow(IN_PROCESS_BYTES + 1);
  let size = 0;
  for (let count = -1; count !== 0 && size < lent.length; size += count) {
    count = readSync(fd, lent, size, lent.length - size, null);
  }
  if (size <= IN_PROCESS_BYTES) return lent.subarray(0, size);
  // It has grown since it was looked at, beyond what the buffer holds.
  return Buffer.concat([lent, readFileSync(fd)]);
}

// zlib sets up 270 KB for each stream, however short; a window no larger than the file loses nothing and saves most of that.
function frugal(sizeBytes: number): { windowBits?: number; memLevel?: number; chunkSize?: number } {
  if (sizeBytes > 16_384) return {};
  const windowBits = Math.max(9, Math.ceil(Math.log2(sizeBytes + 1)));
  return { windowBits, memLevel: 6, chunkSize: Math.max(256, sizeBytes) };
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Whether this is compressed by ourselves and at once, rather than by a command that takes a core for a while. */
export function isLight(compressor: Compressor, sizeBytes: number): boolean {
  return sizeBytes <= IN_PROCESS_BYTES && gzipLevel(compressor) !== null;
}

/** The level when the command is plain gzip and its options say nothing but a level; null when the command must run. */
export function gzipLevel(compressor: Compressor): number | null {
  if (!["gzip", "/bin/gzip", "/usr/bin/gzip"].includes(compressor.command)) return null;
  let level = 6;
  for (const option of compressor.options) {
    const hit = /^-([1-9])$/.exec(option);
    if (hit !== null) level = Number(hit[1]);
    else if (option === "--best") level = 9;
    else if (option === "--fast") level = 1;
    else if (!["-n", "--no-name", "-f", "--force", "-q", "--quiet"].includes(option)) return null;
  }
  return level;
}
