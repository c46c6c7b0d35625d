// The memory that the threads of a team share: blocks of whole lines, and of each block the lines that are not ignored. The
// threads take blocks by compare-and-exchange, so that none waits for a message to be handed over.
import type { Verdict } from "../classify.ts";

// Small blocks, for a helper that loses its core in the middle of one holds up only that; and enough of them to go on.
export const SLOTS = 12;
export const BLOCK_BYTES = 256 << 10;

// Two numbers for each reported line; a block of more lines than this is left to the main thread.
const REPORTED_MAX = BLOCK_BYTES / 16;
const REPORT_INTS = 2 * REPORTED_MAX;

// A slot's state: what is done with its block, and above these three bits the block's number, so that nobody takes the
// next block in a slot for the one they began.
export const FREE = 0;
export const FILLED = 1;
export const TAKEN = 2;
/** Its report is being written: only then must it not be taken away. */
export const WRITING = 3;
export const DONE = 4;
const STATUS = 0b111;
const NUMBER_SHIFT = 3;

// Beside the slots' states: a counter that moves with every block, to wait on; whether all is over; blocks that helpers
// have judged.
const CALL = SLOTS;
const HALT = SLOTS + 1;
const HELPED = SLOTS + 2;

/** What shared memory a board lies in; threads are handed this. */
export type BoardMemory = {
  readonly states: SharedArrayBuffer;
  /** Per slot: bytes in the block, lines in it, lines reported of it or TOO_MANY. */
  readonly counts: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
  readonly reports: SharedArrayBuffer;
};

/** Gets a line that is not ignored: `bytes[start, end)`, newline excluded, valid until it returns. */
export type ReportTaker = (bytes: Uint8Array, start: number, end: number, verdict: Verdict) => void;

/** What a block's lines came to, before it is on the board. */
export class BlockReport {
  lines = 0;
  reported = 0;
  readonly entries = new Int32Array(REPORT_INTS);

  clear(): void {
    this.lines = 0;
    this.reported = 0;
  }

  readonly add: ReportTaker = (_bytes, start, end, verdict) => {
    if (this.reported === REPORTED_MAX || this.reported === TOO_MANY) {
      this.reported = TOO_MANY;
      return;
    }
    this.entries[2 * this.reported] = start;
    this.entries[2 * this.reported + 1] = (end << 2) | verdict;
    this.reported++;
  };
}

const TOO_MANY = -1;

export class Board {
  readonly memory: BoardMemory;
  readonly #states: Int32Array;
  readonly #counts: Int32Array;
  // Buffers: they find a newline ten times as fast as an array in shared memory does.
  readonly #blocks: readonly Buffer[];
  readonly #reports: readonly Int32Array[];

  constructor(memory: BoardMemory = newMemory()) {
    this.memory = memory;
    this.#states = new Int32Array(memory.states);
    this.#counts = new Int32Array(memory.counts);
    this.#blocks = slots((slot) => Buffer.from(memory.bytes, slot * BLOCK_BYTES, BLOCK_BYTES));
    this.#reports = slots((slot) => new Int32Array(memory.reports, slot * REPORT_INTS * 4, REPORT_INTS));
  }

  /** The bytes of a slot. */
  block(slot: number): Buffer {
    return this.#blocks[slot]!;
  }

  size(slot: number): number {
    return this.#counts[slot * 3]!;
  }

  /** The slot's state, to be handed back to `take`, `move` and `wait`. */
  state(slot: number): number {
    return Atomics.load(this.#states, slot);
  }

  /** Puts a filled block up for judging and wakes who waits for one. */
  offer(slot: number, size: number): void {
    this.#counts[slot * 3] = size;
    const number = ((this.state(slot) >>> NUMBER_SHIFT) + 1) << NUMBER_SHIFT;
    Atomics.store(this.#states, slot, number | FILLED);
    Atomics.add(this.#states, CALL, 1);
    Atomics.notify(this.#states, CALL);
  }

  /** Moves a block on from exactly this state; the new state, or null when somebody else has moved it. */
  move(slot: number, from: number, to: number): number | null {
    const next = (from & ~STATUS) | to;
    if (Atomics.compareExchange(this.#states, slot, from, next) !== from) return null;
    if (to === DONE) Atomics.notify(this.#states, slot);
    return next;
  }

  /** The first filled slot from `from` on, now the caller's, with its state; or null. */
  takeFrom(from: number): { slot: number; state: number } | null {
    for (let i = 0; i < SLOTS; i++) {
      const slot = (from + i) % SLOTS;
      const state = this.state(slot);
      const taken = isStatus(state, FILLED) ? this.move(slot, state, TAKEN) : null;
      if (taken !== null) return { slot, state: taken };
    }
    return null;
  }

  /** Writes a block's report; the block must be in the caller's hands, and WRITING when others could take it back. */
  write(slot: number, report: BlockReport): void {
    this.#counts[slot * 3 + 1] = report.lines;
    this.#counts[slot * 3 + 2] = report.reported;
    if (report.reported > 0) this.#reports[slot]!.set(report.entries.subarray(0, 2 * report.reported));
  }

  /** Reads a report that is done: gives its lines to `take`. How many lines the block has, or null when it was too long. */
  read(slot: number, take: ReportTaker): number | null {
    const reported = this.#counts[slot * 3 + 2]!;
    if (reported === TOO_MANY) return null;
    const block = this.#blocks[slot]!;
    const entries = this.#reports[slot]!;
    for (let at = 0; at < 2 * reported; at += 2) {
      const end = entries[at + 1]!;
      take(block, entries[at]!, end >>> 2, (end & 0b11) as Verdict);
    }
    return this.#counts[slot * 3 + 1]!;
  }

  /** Waits while a slot is in this state, `timeoutMs` at the most. */
  wait(slot: number, state: number, timeoutMs: number): void {
    Atomics.wait(this.#states, slot, state, timeoutMs);
  }

  /** For a helper: the count of blocks offered so far. */
  get calls(): number {
    return Atomics.load(this.#states, CALL);
  }

  /** For a helper: waits until a block is offered after `calls`, or all is over. */
  waitForCall(calls: number): void {
    Atomics.wait(this.#states, CALL, calls);
  }

  get isOver(): boolean {
    return Atomics.load(this.#states, HALT) === 1;
  }

  /** Tells the helpers to end. */
  end(): void {
    Atomics.store(this.#states, HALT, 1);
    Atomics.add(this.#states, CALL, 1);
    Atomics.notify(this.#states, CALL);
  }

  /** Blocks that helpers have judged. */
  get helped(): number {
    return Atomics.load(this.#states, HELPED);
  }

  countHelp(): void {
    Atomics.add(this.#states, HELPED, 1);
  }
}

/** Whether a slot's state has this status. */
export function isStatus(state: number, status: number): boolean {
  return (state & STATUS) === status;
}

function newMemory(): BoardMemory {
  return {
    states: new SharedArrayBuffer((SLOTS + 3) * 4),
    counts: new SharedArrayBuffer(SLOTS * 3 * 4),
    bytes: new SharedArrayBuffer(SLOTS * BLOCK_BYTES),
    reports: new SharedArrayBuffer(SLOTS * REPORT_INTS * 4),
  };
}

function slots<T>(make: (slot: number) => T): T[] {
  return Array.from({ length: SLOTS }, (_, slot) => make(slot));
}
