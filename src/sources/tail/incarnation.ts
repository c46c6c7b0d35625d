// One open file that is, or was, a log: reads on from a place, and notices when the file under that place is no
// longer the one it knew.
import { readSync } from "node:fs";
import { beginsWith, type Fingerprint, fingerprint, HEAD_BYTES, NEAR_BYTES, type Spot } from "./cursor.ts";
import { factsNow, factsOf, type LogHandle, type OpenedLog, orClose } from "./open-log.ts";
import { type SplitOptions, splitLines } from "./split.ts";

/** Lines with the place after them; what `take` throws stops the reading, and the place is not advanced. */
export type Take = (lines: Uint8Array[], spot: Spot, skipped: Skipped) => void;

/** What of the bytes was not handed out whole. */
export type Skipped = { readonly cutLines: number; readonly nulBytes: number };

/**
 * `idle`: read to its end (a last line without newline may wait). `more`: the turn is over, there is more.
 * `replaced`: the bytes before our place are no longer there: the file was truncated.
 */
export type ReadResult = "idle" | "more" | "replaced";

// Bytes of one read: large enough that the call does not count, small enough that a batch takes a few milliseconds.
export const CHUNK_BYTES = 1024 * 1024;

// Where the unfinished last line of a file that was never read is looked for.
const LAST_LINE_BYTES = 64 * 1024;

// So much was written a moment ago, and is in memory: reading it takes less than asking another thread to.
const FRESH_BYTES = 64 * 1024;

// Chunks before another log gets its turn.
const CHUNKS_A_TURN = 8;

export class Incarnation {
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  /** Whether it is on a file system of this machine. */
  readonly isLocal: boolean;
  readonly #handle: LogHandle;
  #offset: number;
  #cut: boolean;
  #head: Buffer;
  #near: Buffer;
  #headPrint: Fingerprint;
  #mtimeMs: number;
  #sizeBytes: number;
  #spot: Spot | null = null;
  #wasEmpty: boolean;

  private constructor(opened: OpenedLog, offset: number, cut: boolean, head: Buffer, near: Buffer) {
    this.path = opened.path;
    this.device = opened.device;
    this.inode = opened.inode;
    this.isLocal = opened.isLocal;
    this.#handle = opened.handle;
    this.#offset = offset;
    this.#cut = cut;
    this.#head = head;
    this.#near = near;
    this.#headPrint = fingerprint(head);
    this.#mtimeMs = opened.mtimeMs;
    this.#sizeBytes = opened.sizeBytes;
    this.#wasEmpty = head.length === 0;
  }

  /** The file from its first byte. */
  static begin(opened: OpenedLog): Promise<Incarnation> {
    return orClose(opened, async () => {
      const head = await readAt(opened.handle, 0, HEAD_BYTES);
      return new Incarnation(opened, 0, false, head, Buffer.alloc(0));
    });
  }

  /** The file from the start of its last, unfinished line; what is there already is not news. */
  static beginAtEnd(opened: OpenedLog): Promise<Incarnation> {
    return orClose(opened, async () => {
      const head = await readAt(opened.handle, 0, HEAD_BYTES);
      const from = Math.max(0, opened.sizeBytes - LAST_LINE_BYTES);
      const tail = await readAt(opened.handle, from, opened.sizeBytes - from);
      const newline = tail.lastIndexOf(10);
      // Without a newline near the end we are in the middle of a long line: its rest is skipped.
      const cut = newline < 0 && from > 0;
      const used = cut ? tail.length : newline + 1;
      const near = lastBytes(Buffer.alloc(0), tail.subarray(0, used));
      return new Incarnation(opened, from + used, cut, head, near);
    });
  }

  /** The file from a place, if it still holds the bytes that led to that place; else null, and the file is closed. */
  static resume(opened: OpenedLog, spot: Spot): Promise<Incarnation | null> {
    return orClose(opened, async () => {
      const head = await readAt(opened.handle, 0, HEAD_BYTES);
      const near = await readAt(opened.handle, spot.offset - spot.near.bytes, spot.near.bytes);
      if (opened.sizeBytes < spot.offset || !beginsWith(head, spot.head) || !beginsWith(near, spot.near)) {
        await opened.handle.close();
        return null;
      }
      const incarnation = new Incarnation(opened, spot.offset, spot.cut === true, head, near);
      // What it was when we left it, not what it is now: the difference says that something happened.
      incarnation.#mtimeMs = spot.mtimeMs;
      incarnation.#wasEmpty = spot.head.bytes === 0;
      return incarnation;
    });
  }

  /** Whether everything in it was handed out, the unfinished last line included. */
  get finished(): boolean {
    return this.#offset >= this.#sizeBytes;
  }

  /** Whether it held nothing when it was looked at last. */
  get wasEmpty(): boolean {
    return this.#wasEmpty;
  }

  /** Whether somebody wrote to it, or truncated it, since it was read last. */
  async wasTouched(): Promise<boolean> {
    return (await factsOf(this.#handle))?.mtimeMs !== this.#mtimeMs;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get mtimeMs(): number {
    return this.#mtimeMs;
  }

  get spot(): Spot {
    this.#spot ??= {
      device: this.device,
      inode: this.inode,
      offset: this.#offset,
      head: this.#headPrint,
      near: fingerprint(this.#near),
      mtimeMs: this.#mtimeMs,
      ...(this.#cut ? { cut: true } : {}),
    };
    return this.#spot;
  }

  /**
   * Reads on and hands out lines, at most one turn's worth.
   * @param chunk a buffer of CHUNK_BYTES that is free until this resolves
   */
  async read(chunk: Buffer, options: SplitOptions, take: Take): Promise<ReadResult> {
    for (let turn = 0; turn < CHUNKS_A_TURN; turn++) {
      const facts = this.isLocal ? factsNow(this.#handle.fd) : await factsOf(this.#handle);
      if (facts === null || facts.sizeBytes < this.#offset) return "replaced";
      const same = facts.mtimeMs === this.#mtimeMs && facts.sizeBytes === this.#sizeBytes;
      if (same && facts.sizeBytes === this.#offset) return "idle";

      const isFresh = this.isLocal && facts.sizeBytes - this.#offset <= FRESH_BYTES;
      const bytesRead = await readInto(chunk, 0, this.#handle, this.#offset, isFresh);
      // After the read, so that a truncation during it is seen as well.
      if (!(await this.#stillHere(isFresh))) return "replaced";
      this.#spot = null;
      this.#mtimeMs = facts.mtimeMs;
      this.#sizeBytes = Math.max(facts.sizeBytes, this.#offset + bytesRead);
      if (!this.#handOut(chunk.subarray(0, bytesRead), options, take)) return "idle";
      if (bytesRead < CHUNK_BYTES) return "idle";
    }
    return "more";
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** False when the chunk holds no further whole line. */
  #handOut(chunk: Buffer, options: SplitOptions, take: Take): boolean {
    let at = 0;
    while (at < chunk.length) {
      const rest = chunk.subarray(at);
      const split = splitLines(rest, { cut: this.#cut }, options);
      if (split.consumed === 0) return at > 0;
      const before = { offset: this.#offset, cut: this.#cut, near: this.#near };
      this.#spot = null;
      this.#offset += split.consumed;
      this.#cut = split.cut;
      this.#near = lastBytes(this.#near, rest.subarray(0, split.consumed));
      try {
        take(split.lines, this.spot, split);
      } catch (error) {
        this.#spot = null;
        this.#offset = before.offset;
        this.#cut = before.cut;
        this.#near = before.near;
        throw error;
      }
      at += split.consumed;
    }
    return true;
  }

  async #stillHere(isFresh: boolean): Promise<boolean> {
    const head = await readAt(this.#handle, 0, HEAD_BYTES, isFresh);
    if (head.length < this.#head.length || !head.subarray(0, this.#head.length).equals(this.#head))
      return false;
    if (head.length > this.#head.length) {
      this.#head = head;
      this.#headPrint = fingerprint(head);
      this.#wasEmpty = false;
    }
    const near = await readAt(this.#handle, this.#offset - this.#near.length, this.#near.length, isFresh);
    return near.equals(this.#near);
  }
}

/** The last NEAR_BYTES of `before` followed by `chunk`, as a copy. */
export function lastBytes(before: Buffer, chunk: Buffer): Buffer {
  if (chunk.length >= NEAR_BYTES) return Buffer.from(chunk.subarray(chunk.length - NEAR_BYTES));
  return Buffer.concat([before.subarray(Math.max(0, before.length + chunk.length - NEAR_BYTES)), chunk]);
}

/** @param isFresh whether the bytes are in memory, and are read at once */
async function readAt(handle: LogHandle, position: number, length: number, isFresh = false): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const bytesRead = await readInto(bytes, filled, handle, position + filled, isFresh);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function readInto(
  bytes: Buffer,
  at: number,
  handle: LogHandle,
  position: number,
  isFresh: boolean,
): Promise<number> {
  const length = bytes.length - at;
  if (isFresh) return readSync(handle.fd, bytes, at, length, position);
  return (await handle.read(bytes, at, length, position)).bytesRead;
}
