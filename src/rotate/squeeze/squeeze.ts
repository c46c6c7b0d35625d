// Compresses one open file into another, piece by piece, on whatever thread it is called: so memory does not grow with the file,
// and what is made is what gzip(1) or zstd(1) would read. Each piece is a gzip member (RFC 1952, section 2.2) or a zstd frame
// (RFC 8878, section 3.1), and either kind may stand in a row.
import { readSync, writeSync } from "node:fs";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { type GzipMaker, gzipMaker } from "../../sys/deflate.ts";
import type { Compressor } from "../types.ts";

/** What one of our own compressors is to make. */
export type Squeeze = { readonly method: "gzip" | "zstd"; readonly level: number };

export type SqueezeJob = {
  /** Descriptor to read, from its beginning. */
  readonly source: number;
  /** Descriptor of an empty file. */
  readonly target: number;
  readonly how: Squeeze;
};

/** Larger pieces compress no better: this is 64 times deflate's window, and zstd's at its usual level. */
export const PIECE_BYTES = 2 * 1024 * 1024;

let lent: Buffer | null = null;

/**
 * Compresses a whole file, also what is added to it meanwhile. Throws what read(2) and write(2) throw, and whatever
 * `betweenPieces` does.
 * @param betweenPieces told how many bytes have been read since it was last called
 */
export function squeezeFile(job: SqueezeJob, betweenPieces: (bytes: number) => void): void {
  // The memory of a piece is only taken as far as a file fills it, and serves all files of this thread.
  lent ??= Buffer.allocUnsafeSlow(PIECE_BYTES);
  let read = 0;
  let written = 0;
  for (;;) {
    let size = 0;
    for (let count = -1; count !== 0 && size < PIECE_BYTES; size += count)
      count = readSync(job.source, lent, size, PIECE_BYTES - size, read + size);
    if (size === 0 && written > 0) return;
    const made = squeezed(lent.subarray(0, size), job.how);
    for (let at = 0; at < made.length; )
      at += writeSync(job.target, made, at, made.length - at, written + at);
    written += made.length;
    read += size;
    betweenPieces(size);
    if (size < PIECE_BYTES) return;
  }
}

function squeezed(piece: Uint8Array, { method, level }: Squeeze): Uint8Array {
  if (method === "zstd") {
    const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
    return zstdCompressSync(piece, {
      params,
      pledgedSrcSize: piece.length,
      chunkSize: roomFor(piece.length),
    });
  }
  return makerOf(level)?.memberNow(piece) ?? gzipSync(piece, { level, ...frugal(piece.length) });
}

// One maker for each level, kept: setting one up costs as much as a small file does. null without libdeflate.
const makers = new Map<number, GzipMaker | null>();

function makerOf(level: number): GzipMaker | null {
  let maker = makers.get(level);
  if (maker === undefined) {
    maker = gzipMaker(level, PIECE_BYTES);
    makers.set(level, maker);
  }
  return maker;
}

// zlib sets up 270 KB for each stream, however short; a window no larger than the file loses nothing and saves most of that.
function frugal(sizeBytes: number): { windowBits?: number; memLevel?: number; chunkSize: number } {
  if (sizeBytes > 16_384) return { chunkSize: roomFor(sizeBytes) };
  const windowBits = Math.max(9, Math.ceil(Math.log2(sizeBytes + 1)));
  return { windowBits, memLevel: 6, chunkSize: Math.max(256, sizeBytes) };
}

// Logs shrink to a fifth or less: then the output comes in one chunk and need not be put together.
function roomFor(sizeBytes: number): number {
  return Math.max(1_024, Math.ceil(sizeBytes / 4));
}

const BIN = /^(?:(?:\/usr)?\/bin\/)?/;
const GZIP = new RegExp(`${BIN.source}gzip$`);
const ZSTD = new RegExp(`${BIN.source}zstd$`);
// What does not change the bytes that are made from stdin to stdout, or only how many threads make them.
const GZIP_QUIET = /^(?:-n|--no-name|-f|--force|-q|--quiet|-c|--stdout)$/;
const ZSTD_QUIET = /^(?:-f|--force|-q|--quiet|-c|--stdout|-T\d+|--threads=\d+|--no-progress)$/;

// All logs of a stanza have one compressor, and each asks more than once.
let latest: (Compressor & { readonly how: Squeeze | null }) | null = null;

/** How we do ourselves what the command would do; null when its options ask for more than a level: then it must run. */
export function squeezeOf(compressor: Compressor): Squeeze | null {
  const { command, options } = compressor;
  if (latest?.command !== command || latest.options !== options)
    latest = { command, options, how: understood(compressor) };
  return latest.how;
}

function understood({ command, options }: Compressor): Squeeze | null {
  if (GZIP.test(command)) return withLevel("gzip", 6, /^-([1-9])$/, GZIP_QUIET, options);
  // zstd(1) takes its level from the environment, too; then it knows best.
  if (!ZSTD.test(command) || process.env["ZSTD_CLEVEL"] !== undefined) return null;
  return withLevel("zstd", 3, /^-([1-9]|1\d)$/, ZSTD_QUIET, options);
}

function withLevel(
  method: Squeeze["method"],
  usual: number,
  level: RegExp,
  quiet: RegExp,
  options: readonly string[],
): Squeeze | null {
  let chosen = usual;
  for (const option of options) {
    const hit = level.exec(option);
    if (hit !== null) chosen = Number(hit[1]);
    else if (method === "gzip" && option === "--best") chosen = 9;
    else if (method === "gzip" && option === "--fast") chosen = 1;
    else if (!quiet.test(option)) return null;
  }
  return { method, level: chosen };
}
