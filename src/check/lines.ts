// Cuts a stream of bytes into lines without keeping more than one unfinished line, and that one bounded: a log without
// newlines must not fill the memory.

/** A line longer than this is handed on in pieces. */
export const MAX_LINE_BYTES = 16 << 20;

/** Gets `bytes[start, end)`, newline excluded; the bytes may change once it returns. */
export type LineTaker = (bytes: Uint8Array, start: number, end: number) => void;

const NEWLINE = 0x0a;

/** Bytes in, lines out. */
export class LineSplitter {
  /** Pieces that were cut from lines over the bound. */
  cutCount = 0;
  readonly #take: LineTaker;
  readonly #maxBytes: number;
  #carry: Uint8Array[] = [];
  #carryBytes = 0;

  constructor(take: LineTaker, maxBytes = MAX_LINE_BYTES) {
    this.#take = take;
    this.#maxBytes = maxBytes;
  }

  /** More of the stream. */
  write(chunk: Uint8Array): void {
    let start = 0;
    if (this.#carryBytes > 0) {
      const newline = chunk.indexOf(NEWLINE);
      if (newline < 0) {
        this.#keep(chunk);
        return;
      }
      this.#keep(chunk.subarray(0, newline));
      this.#flush();
      start = newline + 1;
    }
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, start);
      if (newline < 0) break;
      this.#take(chunk, start, newline);
      start = newline + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The stream is at its end; an unfinished last line counts as a line. */
  end(): void {
    if (this.#carryBytes > 0) this.#flush();
  }

  #keep(piece: Uint8Array): void {
    this.#carry.push(new Uint8Array(piece)); // a copy: slice() of a Buffer is none
    this.#carryBytes += piece.length;
    if (this.#carryBytes > this.#maxBytes) {
      this.cutCount++;
      this.#flush();
    }
  }

  #flush(): void {
    const whole = new Uint8Array(this.#carryBytes);
    let at = 0;
    for (const piece of this.#carry) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#carry = [];
    this.#carryBytes = 0;
    this.#take(whole, 0, whole.length);
  }
}
