// Judges the lines of a block. Many are asked about at once, because the automaton walks several lines in the time of one.
import { IGNORED, type Verdict } from "../classify.ts";
import type { RuleBook } from "../rules.ts";
import type { ReportTaker } from "./board.ts";

/** Puts down the verdict on each of the lines. */
export type Judge = RuleBook["verdicts"];

// Few enough for what a block needs beside it to stay in the processor's nearest cache.
const LINES_AT_ONCE = 256;

const NEWLINE = 0x0a;

export class BlockJudge {
  readonly #judge: Judge;
  readonly #starts = new Int32Array(LINES_AT_ONCE);
  readonly #ends = new Int32Array(LINES_AT_ONCE);
  readonly #verdicts = new Uint8Array(LINES_AT_ONCE);

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  /** Judges the lines of `bytes[0, size)`, giving what is not ignored to `take`; how many there are. */
  judge(bytes: Buffer, size: number, take: ReportTaker): number {
    let lines = 0;
    for (let start = 0; start < size; ) {
      let count = 0;
      for (; count < LINES_AT_ONCE && start < size; count++) {
        const end = lineEnd(bytes, start, size);
        this.#starts[count] = start;
        this.#ends[count] = end;
        start = end + 1;
      }
      this.#judge(bytes, { starts: this.#starts, ends: this.#ends, count }, this.#verdicts);
      for (let i = 0; i < count; i++) {
        const verdict = this.#verdicts[i]! as Verdict;
        if (verdict !== IGNORED) take(bytes, this.#starts[i]!, this.#ends[i]!, verdict);
      }
      lines += count;
    }
    return lines;
  }
}

// What follows the last newline is a line, too.
function lineEnd(bytes: Buffer, start: number, size: number): number {
  const newline = bytes.indexOf(NEWLINE, start);
  return newline < 0 || newline > size ? size : newline;
}
