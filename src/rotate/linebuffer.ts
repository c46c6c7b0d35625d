// Gathers lines as the bytes of a file. Tens of thousands of lines as one text would all be alive at once, and collecting
// them would cost more than writing them.
import { writeSync } from "node:fs";
import { bytesOf } from "./names/bytes.ts";

const FIRST_BYTES = 64 * 1024;
// UTF-8 takes at most three bytes for each UTF-16 code unit (RFC 3629).
const BYTES_PER_UNIT = 3;

export class LineBuffer {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #used = 0;

  /** Adds a text; bytes of file names that are not UTF-8 become themselves again. */
  add(text: string): void {
    const most = this.#used + text.length * BYTES_PER_UNIT;
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(most, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#used);
      this.#bytes = larger;
    }
    const encoded = bytesOf(text);
    this.#used +=
      typeof encoded === "string"
        ? this.#bytes.write(encoded, this.#used)
        : encoded.copy(this.#bytes, this.#used);
  }

  /** What was added, until more is. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }

  /** Writes what was added to the end of a file, and begins anew. Throws what write(2) does; it begins anew all the same. */
  writeTo(fd: number): void {
    const end = this.#used;
    this.#used = 0;
    for (let at = 0; at < end; ) at += writeSync(fd, this.#bytes, at, end - at);
  }
}
