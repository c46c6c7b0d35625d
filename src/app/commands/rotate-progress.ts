// One line on a terminal while a rotation takes long: how many logs, how much compressed. Nothing at all elsewhere.
import type { RotationProgress } from "../../rotate/progress.ts";
import { formatBytes } from "../terminal.ts";

// Shorter work is done before anybody wonders.
const FIRST_MS = 1_000;
const EVERY_MS = 250;
// ECMA-48: to the first column, and erase the line.
const CLEAR = "\r\u001b[K";

/** What the line says. */
export function progressText(progress: RotationProgress): string {
  const { logs, logsDone, bytesToCompress, bytesCompressed } = progress;
  const compressed =
    bytesToCompress > 0
      ? `, ${formatBytes(bytesCompressed)} of ${formatBytes(bytesToCompress)} compressed`
      : "";
  return `${logsDone} of ${logs} logs${compressed}`;
}

/** The line. Hide it before anything else is written to the terminal; dispose of it at the end. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #progress: RotationProgress;
  readonly #timers: NodeJS.Timeout[] = [];
  #shown = false;

  constructor(stream: NodeJS.WriteStream, progress: RotationProgress) {
    this.#stream = stream;
    this.#progress = progress;
    if (stream.isTTY !== true || process.env["TERM"] === "dumb") return;
    const first = setTimeout(() => {
      this.#show();
      this.#timers.push(setInterval(() => this.#show(), EVERY_MS).unref());
    }, FIRST_MS);
    this.#timers.push(first.unref());
  }

  hide(): void {
    if (this.#shown) this.#stream.write(CLEAR);
    this.#shown = false;
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.hide();
  }

  #show(): void {
    const text = progressText(this.#progress).slice(0, (this.#stream.columns || 80) - 1);
    this.#stream.write(`${CLEAR}${text}`);
    this.#shown = true;
  }
}
