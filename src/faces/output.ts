// Where a face writes: bytes as they are, at once, because an offset may only move after what was read has left.
import { writeSync } from "node:fs";
import { isatty } from "node:tty";

/** Tests give their own. */
export type FaceOutput = {
  /** Must be done with the bytes when it returns. */
  readonly out: (bytes: Uint8Array) => void;
  readonly err: (text: string) => void;
  /** A person looks at it: what strangers wrote must not move their cursor. */
  readonly terminal?: boolean;
};

// A reader slower than we are, on a pipe that some other part of the process made non-blocking.
const RETRY_MS = 2;

export const standardOutput: FaceOutput = {
  out: (bytes) => writeAll(1, bytes),
  err: (text) => writeAll(2, Buffer.from(text)),
  terminal: isatty(1),
};

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

const BLOCK_BYTES = 256 << 10;

/** Gathers lines into blocks: a system call for each would cost more than finding them did. */
export class BlockWriter {
  readonly #out: (block: Uint8Array) => void;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #used = 0;

  /** @param out gets each full block, and whatever is larger; it must not keep it */
  constructor(out: (block: Uint8Array) => void) {
    this.#out = out;
  }

  /** Adds `bytes[start, end)`. */
  add(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (end - start < BLOCK_BYTES) this.#put(bytes, start, end);
    else {
      this.flush();
      this.#out(bytes.subarray(start, end));
    }
  }

  /** Adds `bytes[start, end)` and a newline. */
  addLine(bytes: Uint8Array, start: number, end: number): void {
    this.#put(bytes, start, end);
    if (this.#used === BLOCK_BYTES) this.flush();
    this.#block[this.#used++] = 0x0a;
  }

  /** Writes what is left. */
  flush(): void {
    if (this.#used > 0) this.#out(this.#block.subarray(0, this.#used));
    this.#used = 0;
  }

  #put(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      if (this.#used === BLOCK_BYTES) this.flush();
      const size = Math.min(end - at, BLOCK_BYTES - this.#used);
      this.#block.set(bytes.subarray(at, at + size), this.#used);
      this.#used += size;
      at += size;
    }
  }
}
