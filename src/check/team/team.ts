// Several threads judge a large log: lines come out in the order in which they were written, with a verdict each. The main
// thread never waits for a helper to begin: whatever no helper has taken, it judges itself.
import { Worker } from "node:worker_threads";
import type { Verdict } from "../classify.ts";
import type { LineSplitter } from "../lines.ts";
import type { RuleBook } from "../rules.ts";
import {
  BLOCK_BYTES,
  Board,
  DONE,
  eachLine,
  FILLED,
  type Judge,
  judgeBlock,
  SLOTS,
  TAKEN,
  WRITING,
} from "./board.ts";

/** Where a helper finds the rules that the main thread judges by. */
export type HelperRules = {
  readonly dir: string;
  readonly options: RuleBook["options"];
  /** RuleBook.name: the helper ends when its rules have another. */
  readonly name: string;
  readonly compiled: { readonly path: string; readonly uid: number } | null;
};

/** Gets a judged line: `bytes[start, end)`, newline excluded, valid until it returns. */
export type JudgedTaker = (bytes: Uint8Array, start: number, end: number, verdict: Verdict) => void;

const NEWLINE = 0x0a;

// A block takes milliseconds. A helper that holds one for so long is dead, or starved beyond use.
const HELPER_PATIENCE_MS = 2_000;

// A helper has an automaton and little else.
const HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 96 };

const THREAD = new URL(
  import.meta.url.endsWith(".ts") ? "./thread.ts" : "./judge-thread.js",
  import.meta.url,
);

export class Team {
  readonly #board = new Board();
  readonly #judge: Judge;
  readonly #take: JudgedTaker;
  readonly #longLines: LineSplitter;
  readonly #helpers: readonly Worker[];
  // Slots are filled and settled in a ring.
  #filling = 0;
  #oldest = 0;
  #used = 0;
  #inLongLine = false;
  #isAlone = false;

  /**
   * @param judge judges in this thread
   * @param longLines takes a line that is longer than a block, in its place
   */
  constructor(
    rules: HelperRules,
    helperCount: number,
    judge: Judge,
    take: JudgedTaker,
    longLines: LineSplitter,
    entry: URL = THREAD,
  ) {
    this.#judge = judge;
    this.#take = take;
    this.#longLines = longLines;
    const workerData = { memory: this.#board.memory, rules };
    this.#helpers = Array.from({ length: helperCount }, () => {
      const helper = new Worker(entry, { workerData, resourceLimits: HEAP });
      // One that fails takes no blocks, or they are taken back: only time is lost.
      helper.on("error", () => undefined);
      helper.unref();
      return helper;
    });
  }

  /** Blocks that helpers judged. */
  get helped(): number {
    return this.#board.helped;
  }

  /** More bytes, free to change once this returns. */
  write(chunk: Uint8Array): void {
    for (let at = this.#inLongLine ? this.#endLongLine(chunk) : 0; at < chunk.length; ) {
      const size = Math.min(BLOCK_BYTES - this.#used, chunk.length - at);
      this.#board.block(this.#filling).set(chunk.subarray(at, at + size), this.#used);
      this.#used += size;
      at += size;
      if (this.#used < BLOCK_BYTES) return;
      if (!this.#offerWholeLines()) at += this.#endLongLine(chunk.subarray(at));
    }
  }

  /** Every line so far is taken when this returns; what follows the last newline counts as one. */
  flush(): void {
    if (this.#used > 0) {
      this.#board.offer(this.#filling, this.#used);
      this.#advance();
      this.#used = 0;
    }
    this.#settleAll();
    this.#longLines.end();
    this.#inLongLine = false;
  }

  [Symbol.dispose](): void {
    this.#board.end();
    for (const helper of this.#helpers) void helper.terminate();
  }

  // Offers the full block up to its last newline; the rest begins the next. False when the block is all one line.
  #offerWholeLines(): boolean {
    const block = this.#board.block(this.#filling);
    const last = block.lastIndexOf(NEWLINE);
    if (last < 0) {
      this.#settleAll();
      this.#longLines.write(block);
      this.#used = 0;
      this.#inLongLine = true;
      return false;
    }
    this.#board.offer(this.#filling, last + 1);
    const rest = block.slice(last + 1);
    this.#advance();
    this.#board.block(this.#filling).set(rest);
    this.#used = rest.length;
    return true;
  }

  // Hands on what belongs to the long line; returns where the next one begins.
  #endLongLine(chunk: Uint8Array): number {
    const newline = chunk.indexOf(NEWLINE);
    const end = newline < 0 ? chunk.length : newline + 1;
    this.#longLines.write(chunk.subarray(0, end));
    this.#inLongLine = newline < 0;
    return end;
  }

  #advance(): void {
    this.#filling = (this.#filling + 1) % SLOTS;
    if (this.#filling === this.#oldest) this.#settleOldest();
  }

  #settleAll(): void {
    while (this.#oldest !== this.#filling) this.#settleOldest();
  }

  #settleOldest(): void {
    const slot = this.#oldest;
    const board = this.#board;
    const block = board.block(slot);
    if (board.move(slot, FILLED, TAKEN)) {
      eachLine(block, board.size(slot), (start, end) =>
        this.#take(block, start, end, this.#judge(block, start, end)),
      );
    } else {
      this.#awaitVerdicts(slot);
      const verdicts = board.verdicts(slot);
      eachLine(block, board.size(slot), (start, end, index) =>
        this.#take(block, start, end, verdicts[index]! as Verdict),
      );
    }
    board.free(slot);
    this.#oldest = (slot + 1) % SLOTS;
  }

  // Returns once the verdicts on the slot are there. Judges other blocks meanwhile, and this one when its helper is gone.
  #awaitVerdicts(slot: number): void {
    const board = this.#board;
    while (board.state(slot) !== DONE) {
      const other = this.#isAlone ? -1 : board.takeFrom(slot);
      if (other >= 0) {
        judgeBlock(board.block(other), board.size(other), this.#judge, board.verdicts(other));
        board.move(other, TAKEN, DONE);
        continue;
      }
      if (board.state(slot) === WRITING) continue;
      const patienceMs = this.#isAlone ? 0 : HELPER_PATIENCE_MS;
      if (board.wait(slot, TAKEN, patienceMs) || !board.move(slot, TAKEN, DONE)) continue;
      this.#isAlone = true;
      board.end();
      judgeBlock(board.block(slot), board.size(slot), this.#judge, board.verdicts(slot));
    }
  }
}
