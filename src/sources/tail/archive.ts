// Reads on in a compressed generation: finds the place in the uncompressed bytes, makes sure that it is the place,
// and hands out what follows.
import { beginsWith, fingerprint, HEAD_BYTES, type Spot } from "./cursor.ts";
import { decompressed } from "./decompress.ts";
import type { Compression, Generation } from "./generations.ts";
import { lastBytes, type Take } from "./incarnation.ts";
import { isOpen, openLog } from "./open-log.ts";
import { type SplitOptions, splitLines } from "./split.ts";
import type { LogSurroundings } from "./surroundings.ts";

export type Archive = Generation & { readonly compression: Compression };

/**
 * `read`: everything after the place was handed out. `other`: the bytes are not those of the place, nothing was
 * handed out. `shorter`: they are, as far as they go, but end before it. `gone`: no longer the file that was listed.
 */
export type ArchiveResult = "read" | "other" | "shorter" | "gone";

/** The reader was told to stop in the middle of an archive; it goes on from the last place that was handed out. */
export class StoppedError extends Error {}

/**
 * Hands out the lines after `spot` (null: all of them).
 * Throws what `take` throws, StoppedError, and when the data is damaged or its program missing.
 */
export async function readArchive(
  archive: Archive,
  spot: Spot | null,
  options: SplitOptions,
  take: Take,
  { stopping, openForUs }: Pick<LogSurroundings, "openForUs" | "stopping">,
): Promise<ArchiveResult> {
  const opened = await openLog(archive.path, openForUs);
  if (!isOpen(opened)) return "gone";
  try {
    if (opened.inode !== archive.inode || opened.device !== archive.device) return "gone";
    const reader = new ArchiveReader(archive, options, take);
    const from = spot?.offset ?? 0;
    let first = true;
    for await (const piece of ledBy(HEAD_BYTES, decompressed(opened.handle, archive.compression))) {
      if (stopping()) throw new StoppedError();
      if (first && spot !== null && !beginsWith(piece, spot.head)) return "other";
      if (first) reader.start(piece, spot);
      first = false;
      const skip = Math.min(piece.length, from - reader.position);
      if (skip > 0) {
        reader.pass(piece.subarray(0, skip));
        if (reader.position === from && !reader.isNear(spot!)) return "other";
      }
      if (skip < piece.length) reader.add(piece.subarray(Math.max(0, skip)));
    }
    if (first && spot !== null && spot.head.bytes > 0) return "other";
    if (reader.position + reader.waiting < from) return "shorter";
    reader.end();
    return "read";
  } finally {
    await opened.handle.close();
  }
}

class ArchiveReader {
  readonly #archive: Archive;
  readonly #options: SplitOptions;
  readonly #take: Take;
  #head = fingerprint(new Uint8Array());
  #near: Buffer = Buffer.alloc(0);
  #carry: Buffer = Buffer.alloc(0);
  #cut = false;
  /** Of uncompressed bytes, those passed or handed out. */
  position = 0;

  constructor(archive: Archive, options: SplitOptions, take: Take) {
    this.#archive = archive;
    this.#options = options;
    this.#take = take;
  }

  /** Bytes of a line that is not whole yet. */
  get waiting(): number {
    return this.#carry.length;
  }

  start(firstPiece: Buffer, spot: Spot | null): void {
    this.#head = fingerprint(firstPiece.subarray(0, HEAD_BYTES));
    this.#cut = spot?.cut === true;
  }

  pass(bytes: Buffer): void {
    this.#near = lastBytes(this.#near, bytes);
    this.position += bytes.length;
  }

  isNear(spot: Spot): boolean {
    const near = this.#near.subarray(Math.max(0, this.#near.length - spot.near.bytes));
    return beginsWith(near, spot.near);
  }

  add(bytes: Buffer): void {
    this.#handOut(this.#carry.length === 0 ? bytes : Buffer.concat([this.#carry, bytes]), false);
  }

  end(): void {
    this.#handOut(this.#carry, true);
  }

  #handOut(bytes: Buffer, final: boolean): void {
    let rest = bytes;
    while (rest.length > 0) {
      const split = splitLines(rest, { cut: this.#cut }, { ...this.#options, final });
      if (split.consumed === 0) break;
      this.pass(rest.subarray(0, split.consumed));
      this.#cut = split.cut;
      this.#take(split.lines, this.#spot(), split);
      rest = rest.subarray(split.consumed);
    }
    this.#carry = rest;
  }

  #spot(): Spot {
    return {
      device: this.#archive.device,
      inode: this.#archive.inode,
      offset: this.position,
      head: this.#head,
      near: fingerprint(this.#near),
      mtimeMs: this.#archive.mtimeMs,
      ...(this.#cut ? { cut: true } : {}),
    };
  }
}

/** The same pieces, the first with at least `bytes` bytes unless there are no more. */
async function* ledBy(bytes: number, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let lead: Buffer | null = Buffer.alloc(0);
  for await (const piece of pieces) {
    if (lead === null) {
      yield piece;
      continue;
    }
    lead = Buffer.concat([lead, piece]);
    if (lead.length < bytes) continue;
    yield lead;
    lead = null;
  }
  if (lead !== null && lead.length > 0) yield lead;
}
