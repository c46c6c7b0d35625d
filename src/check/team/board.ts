// The memory that the threads of a team share: blocks of whole lines, and a verdict for each line. The threads take blocks
// by compare-and-exchange, so that none waits for a message to be handed over.
import type { Verdict } from "../classify.ts";

// Six blocks keep two helpers busy while the oldest is settled; together with the verdicts they take 6 MB.
export const SLOTS = 6;
export const BLOCK_BYTES = 512 << 10;

// A slot's states. A helper's verdicts are written between TAKEN and DONE, and only while it says WRITING: the main
// thread may take a block back from a helper that died, but not while it writes.
export const FREE = 0;
export const FILLED = 1;
export const TAKEN = 2;
export const WRITING = 3;
export const DONE = 4;

// Beside the slots' states: a counter that moves with every block, to wait on; whether all is over; blocks that helpers
// have judged.
const CALL = SLOTS;
const HALT = SLOTS + 1;
const HELPED = SLOTS + 2;

const NEWLINE = 0x0a;

/** What shared memory a board lies in; threads are handed this. */
export type BoardMemory = {
  readonly states: SharedArrayBuffer;
  readonly sizes: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
  readonly verdicts: SharedArrayBuffer;
};

/** Judges one line of a block. */
export type Judge = (bytes: Uint8Array, start: number, end: number) => Verdict;

export class Board {
  readonly memory: BoardMemory;
  readonly #states: Int32Array;
  readonly #sizes: Int32Array;
  // Buffers: they find a newline ten times as fast as an array in shared memory does.
  readonly #blocks: readonly Buffer[];
  readonly #verdicts: readonly Buffer[];

  constructor(memory: BoardMemory = newMemory()) {
    this.memory = memory;
    this.#states = new Int32Array(memory.states);
    this.#sizes = new Int32Array(memory.sizes);
    this.#blocks = slices(memory.bytes);
    this.#verdicts = slices(memory.verdicts);
  }

  /** The bytes of a slot. */
  block(slot: number): Buffer {
    return this.#blocks[slot]!;
  }

  verdicts(slot: number): Uint8Array {
    return this.#verdicts[slot]!;
  }

  size(slot: number): number {
    return this.#sizes[slot]!;
  }

  state(slot: number): number {
    return Atomics.load(this.#states, slot);
  }

  /** Puts a filled block up for judging and wakes who waits for one. */
  offer(slot: number, size: number): void {
    this.#sizes[slot] = size;
    Atomics.store(this.#states, slot, FILLED);
    Atomics.add(this.#states, CALL, 1);
    Atomics.notify(this.#states, CALL);
  }

  /** Moves a slot on; false when somebody else has. */
  move(slot: number, from: number, to: number): boolean {
    if (Atomics.compareExchange(this.#states, slot, from, to) !== from) return false;
    if (to === DONE) Atomics.notify(this.#states, slot);
    return true;
  }

  /** Gives a settled slot back. */
  free(slot: number): void {
    Atomics.store(this.#states, slot, FREE);
  }

  /** Blocks that helpers have judged. */
  get helped(): number {
    return Atomics.load(this.#states, HELPED);
  }

  countHelp(): void {
    Atomics.add(this.#states, HELPED, 1);
  }

  /** The first filled slot from `from` on that is now the caller's, or -1. */
  takeFrom(from: number): number {
    for (let i = 0; i < SLOTS; i++) {
      const slot = (from + i) % SLOTS;
      if (this.state(slot) === FILLED && this.move(slot, FILLED, TAKEN)) return slot;
    }
    return -1;
  }

  /** Waits until a slot is no longer in this state, `timeoutMs` at the most; false when it still is. */
  wait(slot: number, state: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#states, slot, state, timeoutMs) !== "timed-out";
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
}

/** Judges the lines of `bytes[0, size)` into `verdicts`, one after another; returns how many there were. */
export function judgeBlock(bytes: Uint8Array, size: number, judge: Judge, verdicts: Uint8Array): number {
  let count = 0;
  eachLine(bytes, size, (start, end) => {
    verdicts[count++] = judge(bytes, start, end);
  });
  return count;
}

/** Visits the lines of `bytes[0, size)`, newlines left out; what follows the last newline is a line, too. */
export function eachLine(
  bytes: Uint8Array,
  size: number,
  visit: (start: number, end: number, index: number) => void,
): void {
  let index = 0;
  for (let start = 0; start < size; index++) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 || newline > size ? size : newline;
    visit(start, end, index);
    start = end + 1;
  }
}

function newMemory(): BoardMemory {
  return {
    states: new SharedArrayBuffer((SLOTS + 3) * 4),
    sizes: new SharedArrayBuffer(SLOTS * 4),
    bytes: new SharedArrayBuffer(SLOTS * BLOCK_BYTES),
    verdicts: new SharedArrayBuffer(SLOTS * BLOCK_BYTES),
  };
}

function slices(buffer: SharedArrayBuffer): Buffer[] {
  return Array.from({ length: SLOTS }, (_, slot) => Buffer.from(buffer, slot * BLOCK_BYTES, BLOCK_BYTES));
}
