// Cuts a byte stream into lines without ever holding more of one than was agreed: whoever is on the other side may be
// in the hands of a stranger.
import { StringDecoder } from "node:string_decoder";

export type LineOptions = {
  readonly maxBytes: number;
  readonly onLine: (line: string) => void;
  /** Called once; nothing is read after it. */
  readonly onTooLong: () => void;
};

/** Feeds whole lines, newline excluded, to `onLine`. */
export class Lines {
  readonly #options: LineOptions;
  readonly #decoder = new StringDecoder("utf8");
  #parts: string[] = [];
  #bytes = 0;
  #over = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  write(chunk: Buffer): void {
    let from = 0;
    while (!this.#over) {
      const newline = chunk.indexOf(10, from);
      const end = newline < 0 ? chunk.length : newline;
      this.#bytes += end - from;
      if (this.#bytes > this.#options.maxBytes) {
        this.#over = true;
        this.#parts = [];
        this.#options.onTooLong();
        return;
      }
      if (end > from) this.#parts.push(this.#decoder.write(chunk.subarray(from, end)));
      if (newline < 0) return;
      const line = this.#parts.join("") + this.#decoder.end();
      this.#parts = [];
      this.#bytes = 0;
      from = newline + 1;
      this.#options.onLine(line);
    }
  }
}
