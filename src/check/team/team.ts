// Several threads judge a large log: lines come out in the order in which they were written, with a verdict each. The main
// thread never waits for a helper to begin: whatever no helper has taken, it judges itself.
import { Worker } from "node:worker_threads";
import type { LineSplitter } from "../lines.ts";
import type { RuleBook } from "../rules.ts";
import { BlockJudge, type Judge } from "./block.ts";
import {
  BLOCK_BYTES,
  BlockReport,
  Board,
  DONE,
  FILLED,
  FREE,
  isStatus,
  type ReportTaker,
  SLOTS,
  TAKEN,
} from "./board.ts";

/** Where a helper finds the rules that the main thread judges by. */
export type HelperRules = {
  readonly dir: string;
  readonly options: RuleBook["options"];
  /** RuleBook.name: the helper ends when its rules have another. */
  readonly name: string;
  readonly compiled: { readonly path: string; readonly uid: number } | null;
};

/** Where judged lines go. */
export type TeamOutput = {
  /** A line that is not ignored. Lines come in their order. */
  readonly take: ReportTaker;
  /** So many lines more are judged, the taken ones among them. */
  readonly count: (lines: number) => void;
};

const NEWLINE = 0x0a;

// About what a block takes. A helper that has lost its core, or died, is not waited for any longer.
const PATIENCE_MS = 2;

// A helper has an automaton and little else.
const HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 96 };

const THREAD = new URL(
  import.meta.url.endsWith(".ts") ? "./thread.ts" : "./judge-thread.js",
  import.meta.url,
);

export class Team {
  readonly #board = new Board();
  readonly #judge: BlockJudge;
  readonly #output: TeamOutput;
  readonly #longLines: LineSplitter;
  readonly #helpers: Worker[] = [];
  // Slots are filled and settled in a ring.
  #filling = 0;
  #oldest = 0;
  #used = 0;
  #inLongLine = false;
  readonly #report = new BlockReport();

  /**
   * @param judge judges in this thread
   * @param longLines takes a line that is longer than a block, in its place
   */
  constructor(judge: Judge, output: TeamOutput, longLines: LineSplitter) {
    this.#judge = new BlockJudge(judge);
    this.#output = output;
    this.#longLines = longLines;
  }

  /** Starts threads that help from now on. */
  addHelpers(rules: HelperRules, count: number, entry: URL = THREAD): void {
    const workerData = { memory: this.#board.memory, rules };
    for (let i = 0; i < count; i++) {
      const helper = new Worker(entry, { workerData, resourceLimits: HEAP });
      // One that fails takes no blocks, or they are taken back: only time is lost.
      helper.on("error", () => undefined);
      helper.unref();
      this.#helpers.push(helper);
    }
  }

  get hasHelpers(): boolean {
    return this.#helpers.length > 0;
  }

  /** Blocks that helpers judged. */
  get helped(): number {
    return this.#board.helped;
  }

  /** More bytes, free to change once this returns. */
  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const room = this.room();
      const size = Math.min(room.length, chunk.length - at);
      room.set(chunk.subarray(at, at + size));
      this.filled(size);
      at += size;
    }
  }

  /** Where the next bytes may be put, without copying them; then say how many they are. Never empty. */
  room(): Uint8Array {
    return this.#board.block(this.#filling).subarray(this.#used);
  }

  /** So many bytes were put where `room` said. */
  filled(size: number): void {
    this.#used += size;
    if (this.#inLongLine) this.#endLongLine();
    if (this.#used === BLOCK_BYTES) this.#offerWholeLines();
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

  // Offers the full block up to its last newline; the rest begins the next.
  #offerWholeLines(): void {
    const block = this.#board.block(this.#filling);
    const last = block.lastIndexOf(NEWLINE);
    if (last < 0) {
      this.#settleAll();
      this.#inLongLine = true;
      this.#endLongLine();
      return;
    }
    this.#board.offer(this.#filling, last + 1);
    const rest = block.slice(last + 1);
    this.#advance();
    this.#board.block(this.#filling).set(rest);
    this.#used = rest.length;
  }

  // Hands on what of the block belongs to the long line; the rest moves to the front.
  #endLongLine(): void {
    const block = this.#board.block(this.#filling).subarray(0, this.#used);
    const newline = block.indexOf(NEWLINE);
    const end = newline < 0 ? block.length : newline + 1;
    this.#longLines.write(block.subarray(0, end));
    block.copyWithin(0, end);
    this.#used -= end;
    this.#inLongLine = newline < 0;
  }

  #advance(): void {
    if (this.hasHelpers) {
      this.#filling = (this.#filling + 1) % SLOTS;
      if (this.#filling === this.#oldest) this.#settleOldest();
      return;
    }
    // Alone, there is nothing to wait for, and one block is enough: it stays in the processor's cache.
    this.#settleOldest();
    this.#oldest = this.#filling;
  }

  #settleAll(): void {
    while (this.#oldest !== this.#filling) this.#settleOldest();
  }

  #settleOldest(): void {
    const slot = this.#oldest;
    const board = this.#board;
    let lines: number | null = null;
    // Null: the block is ours, taken as it was offered, taken back, or handed back for having too many lines.
    if (!this.#claim(slot)) lines = board.read(slot, this.#output.take);
    lines ??= this.#judge.judge(board.block(slot), board.size(slot), this.#output.take);
    this.#output.count(lines);
    board.move(slot, board.state(slot), FREE);
    this.#oldest = (slot + 1) % SLOTS;
  }

  // True once the block is ours to judge, false once its report is there. Judges other blocks while a helper is at it.
  #claim(slot: number): boolean {
    const board = this.#board;
    for (let patient = true; ; ) {
      const state = board.state(slot);
      if (isStatus(state, DONE)) return false;
      if (isStatus(state, FILLED) && board.move(slot, state, TAKEN) !== null) return true;
      if (!isStatus(state, TAKEN)) continue; // its report is being written
      if (this.#judgeAnother(slot)) continue;
      if (!patient && board.move(slot, state, FREE) !== null) return true;
      board.wait(slot, state, PATIENCE_MS);
      patient = false;
    }
  }

  #judgeAnother(after: number): boolean {
    const board = this.#board;
    const taken = board.takeFrom(after);
    if (taken === null) return false;
    const report = this.#report;
    report.clear();
    report.lines = this.#judge.judge(board.block(taken.slot), board.size(taken.slot), report.add);
    board.write(taken.slot, report);
    board.move(taken.slot, taken.state, DONE);
    return true;
  }
}
