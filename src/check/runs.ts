// Lines that lie on disk in their order, each with its mark before it if it has one, and its newline.
import { closeSync, openSync, readSync, writeSync } from "node:fs";

const NEWLINE = 0x0a;

/** Lines one after another: the current one is `bytes[start, end)`, its mark, if it has one, the byte before it. */
export type LineSource = {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** For whoever compares lines: where the current one's sort key ends. */
  keyEnd: number;
  next(): boolean;
  close(): void;
};

const RUN_BUFFER_BYTES = 256 << 10;

/** The lines of a run, read in pieces. */
export class RunSource implements LineSource {
  bytes = Buffer.alloc(RUN_BUFFER_BYTES);
  start = 0;
  end = -1;
  keyEnd = 0;
  readonly #fd: number;
  readonly #markBytes: number;
  #filled = 0;

  constructor(path: string, markBytes: number) {
    this.#fd = openSync(path, "r");
    this.#markBytes = markBytes;
  }

  next(): boolean {
    let from = this.end + 1;
    let newline = this.#newline(from);
    if (newline < 0) {
      newline = this.#refill(from);
      if (newline < 0) return false;
      from = 0;
    }
    this.start = from + this.#markBytes;
    this.end = newline;
    return true;
  }

  close(): void {
    closeSync(this.#fd);
  }

  // Where the line that begins at `from`, with its mark, ends, or -1 when it is not wholly here. No mark is a newline.
  #newline(from: number): number {
    const at = this.bytes.indexOf(NEWLINE, from);
    return at < 0 || at >= this.#filled ? -1 : at;
  }

  // Moves the unfinished line to the front and reads on until it ends.
  #refill(from: number): number {
    this.bytes.copyWithin(0, from, this.#filled);
    this.#filled -= from;
    for (;;) {
      if (this.#filled === this.bytes.length) {
        const larger = Buffer.alloc(this.bytes.length * 2);
        larger.set(this.bytes);
        this.bytes = larger;
      }
      const before = this.#filled;
      const got = readSync(this.#fd, this.bytes, before, this.bytes.length - before, null);
      if (got === 0) return -1;
      this.#filled += got;
      const newline = this.#newline(0);
      if (newline >= 0) return newline;
    }
  }
}

/** Writes the lines of a run. */
export class RunWriter {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(RUN_BUFFER_BYTES);
  #used = 0;

  /** @param appends the file is there, and more follows; otherwise it is made */
  constructor(path: string, appends: boolean) {
    this.#fd = openSync(path, appends ? "a" : "wx", 0o600);
  }

  /** Adds `bytes[start, end)`. */
  write(bytes: Uint8Array, start: number, end: number): void {
    if (this.#used + (end - start) > this.#buffer.length) this.flush();
    if (end - start > this.#buffer.length) writeAll(this.#fd, bytes.subarray(start, end));
    else {
      this.#buffer.set(bytes.subarray(start, end), this.#used);
      this.#used += end - start;
    }
  }

  /** Writes what is left. */
  flush(): void {
    writeAll(this.#fd, this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Gives the text of a run to `take`, in pieces that end anywhere; each may change once `take` returns. */
export function pourRun(path: string, take: (bytes: Uint8Array, start: number, end: number) => void): void {
  const fd = openSync(path, "r");
  try {
    const piece = new Uint8Array(RUN_BUFFER_BYTES);
    for (let got = readSync(fd, piece); got > 0; got = readSync(fd, piece)) take(piece, 0, got);
  } finally {
    closeSync(fd);
  }
}
