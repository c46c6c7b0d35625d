// Holds the lines of a report's sections until they can be written in order. A log may be larger than memory, and a
// flood of lines that nobody ignores is just what an attacker would send: past a budget, sorted runs go to disk. Logs are
// nearly always in order already; a section whose lines came in order is never looked at line by line again.
import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { compareRanges, sortKeyEnd } from "./order/match.ts";
import { type LineSource, pourRun, RunSource, RunWriter } from "./runs.ts";

/**
 * How the lines of a section come out: by their first three fields (`sort -k 1,3 -s`), by the whole line with repeats
 * dropped (`sort -u`), or as they were added.
 */
export type LineOrder = "fields" | "lines" | "arrival";

export type SortedLinesOptions = {
  readonly order: LineOrder;
  /** Bytes of lines held in memory before a run is written to disk. Default 24 MiB, so that a whole run stays below 200 MB. */
  readonly budgetBytes?: number;
  /** A directory of our own for runs; asked for when the first one is written. */
  readonly spillDir: () => string;
};

/** Gets one line: `bytes[start, end)`, valid until the call returns, and the mark it was added with. */
export type LineVisitor = (bytes: Uint8Array, start: number, end: number, mark: number) => void;

/** Gets `bytes[start, end)` of a text, valid until the call returns. */
export type TextTaker = (bytes: Uint8Array, start: number, end: number) => void;

const DEFAULT_BUDGET_BYTES = 24 << 20;
const FIRST_ARENA_BYTES = 64 << 10;
const ARENA_SHARE = 0.75;
// A longer sort key is not kept to find out whether runs are in order: strangers make lines as long as they like.
const KEPT_KEY_MAX_BYTES = 1024;
const NEWLINE = 0x0a;

/** Lines sorted into numbered sections; each section comes out in the order of logcheck's report. */
export class SortedLines {
  readonly #order: LineOrder;
  readonly #budgetBytes: number;
  // One section leaves the others some room, or their first lines would send everything to disk.
  readonly #arenaMaxBytes: number;
  readonly #spillDir: () => string;
  readonly #sections: Section[] = [];
  #heldBytes = 0;
  #runCount = 0;

  constructor(options: SortedLinesOptions) {
    this.#order = options.order;
    this.#budgetBytes = options.budgetBytes ?? DEFAULT_BUDGET_BYTES;
    this.#arenaMaxBytes = Math.ceil(this.#budgetBytes * ARENA_SHARE);
    this.#spillDir = options.spillDir;
  }

  /** Adds a line to a section. @param mark a byte, no newline, that comes back with it: for all of a section or for none */
  add(section: number, bytes: Uint8Array, start: number, end: number, mark?: number): void {
    const to = (this.#sections[section] ??= new Section(this.#order, mark === undefined ? 0 : 1));
    const size = to.sizeOf(start, end);
    if (size > to.roomBytes) this.#makeRoom(to, size);
    to.add(bytes, start, end, mark);
  }

  /** Visits the lines of a section in order. */
  visit(section: number, visitor: LineVisitor): void {
    const from = this.#sections[section];
    if (from === undefined) return;
    const sources: LineSource[] = from.runs.map((path) => new RunSource(path, from.markBytes));
    if (from.used > 0) sources.push(from.sorted());
    try {
      this.#merge(sources, from.markBytes > 0, visitor);
    } finally {
      for (const source of sources) source.close();
    }
  }

  /** The lines of a section that has no marks, in order, each with its newline, as one text in pieces that end anywhere. */
  pour(section: number, take: TextTaker): void {
    const from = this.#sections[section];
    if (from === undefined) return;
    if (this.#order === "lines" || !from.isInOrder()) {
      this.visit(section, (bytes, start, end) => take(bytes, start, end + 1));
      return;
    }
    for (const path of from.runs) pourRun(path, take);
    take(from.arena, 0, from.used);
  }

  /** Removes what was written to disk. */
  [Symbol.dispose](): void {
    for (const section of this.#sections) for (const path of section?.runs ?? []) unlinkSync(path);
    this.#sections.length = 0;
  }

  // What counts is what is set aside, not what of it is used: memory is what is bounded.
  #makeRoom(section: Section, size: number): void {
    const least = section.used + size;
    const more = least - section.arena.length;
    if (least > this.#arenaMaxBytes || this.#heldBytes + more > this.#budgetBytes) {
      this.#spill(section);
      if (size <= section.roomBytes) return;
    }
    const free = this.#budgetBytes - this.#heldBytes + section.arena.length;
    const wanted = Math.max(2 * section.arena.length, FIRST_ARENA_BYTES);
    const length = Math.max(section.used + size, Math.min(wanted, this.#arenaMaxBytes, free));
    this.#heldBytes += section.grow(length);
  }

  // Everything goes to disk. A section that made little use of its memory gives it back: others may need it more now.
  #spill(now: Section): void {
    this.#heldBytes = 0;
    for (const section of this.#sections) {
      if (section === undefined) continue;
      const isIdle = section !== now && section.used < section.arena.length / 2;
      if (section.used > 0) section.spill(join(this.#spillDir(), `run-${this.#runCount++}`));
      if (isIdle) section.release();
      this.#heldBytes += section.arena.length;
    }
  }

  // Stable: of equal lines the one from the earlier source, and within a source the earlier one, comes first.
  #merge(sources: readonly LineSource[], hasMarks: boolean, visitor: LineVisitor): void {
    let live = sources.filter((source) => this.#advance(source));
    const dropsRepeats = this.#order === "lines";
    let last = new Uint8Array(0);
    let lastLength = -1;
    while (live.length > 0) {
      let least = live[0]!;
      for (let i = 1; i < live.length; i++) {
        const other = live[i]!;
        if (compareRanges(other.bytes, other.start, other.keyEnd, least.bytes, least.start, least.keyEnd) < 0)
          least = other;
      }
      const { bytes, start, end } = least;
      if (!dropsRepeats || lastLength < 0 || compareRanges(bytes, start, end, last, 0, lastLength) !== 0) {
        visitor(bytes, start, end, hasMarks ? bytes[start - 1]! : 0);
        if (dropsRepeats) {
          if (last.length < end - start) last = new Uint8Array((end - start) * 2);
          last.set(bytes.subarray(start, end));
          lastLength = end - start;
        }
      }
      if (!this.#advance(least)) live = live.filter((source) => source !== least);
    }
  }

  #advance(source: LineSource): boolean {
    if (!source.next()) return false;
    source.keyEnd = keyEnd(this.#order, source.bytes, source.start, source.end);
    return true;
  }
}

function keyEnd(order: LineOrder, bytes: Uint8Array, start: number, end: number): number {
  if (order === "arrival") return start; // equal keys: the merge is stable
  return order === "lines" ? end : sortKeyEnd(bytes, start, end);
}

class Section {
  // Each line lies in the arena as its mark byte, if it has one, its bytes, and a newline.
  arena: Buffer<ArrayBuffer> = Buffer.from(new ArrayBuffer(0));
  used = 0;
  readonly markBytes: number;
  /** The paths of what is on disk. */
  readonly runs: string[] = [];
  readonly #order: LineOrder;
  // The sort key of the line that was added last, and whether none in the arena should have come after a later one.
  #lastStart = 0;
  #lastKeyEnd = 0;
  #arenaInOrder = true;
  // The sort key of the last line of the last run; null when there is none, or it is too long to be kept.
  #lastKey: Uint8Array | null = null;

  constructor(order: LineOrder, markBytes: number) {
    this.#order = order;
    this.markBytes = markBytes;
  }

  /** What a line takes. */
  sizeOf(start: number, end: number): number {
    return this.markBytes + end - start + 1;
  }

  get roomBytes(): number {
    return this.arena.length - this.used;
  }

  /** Adds a line that there is room for. */
  add(bytes: Uint8Array, start: number, end: number, mark: number | undefined): void {
    const at = this.used + this.markBytes;
    const { arena } = this;
    if (mark !== undefined) arena[this.used] = mark;
    // Copying without a view of the line for each: lines are short, and views are most of their cost.
    if (Buffer.isBuffer(bytes)) bytes.copy(arena, at, start, end);
    else arena.set(bytes.subarray(start, end), at);
    const lineEnd = at + end - start;
    arena[lineEnd] = NEWLINE;
    const lineKeyEnd = keyEnd(this.#order, arena, at, lineEnd);
    if (this.#arenaInOrder && this.used > 0) {
      this.#arenaInOrder =
        compareRanges(arena, this.#lastStart, this.#lastKeyEnd, arena, at, lineKeyEnd) <= 0;
    }
    this.#lastStart = at;
    this.#lastKeyEnd = lineKeyEnd;
    this.used = lineEnd + 1;
  }

  /** Makes the arena this long; how much longer it is than before. */
  grow(length: number): number {
    const before = this.arena.length;
    this.#resize(length);
    return length - before;
  }

  /** Gives the memory back; there must be no line in it. */
  release(): void {
    this.#resize(0);
  }

  #resize(length: number): void {
    const before = this.arena;
    this.arena = Buffer.from(new ArrayBuffer(length));
    before.copy(this.arena, 0, 0, this.used);
    // Free at once: the collector hardly ever comes. To transfer all of it would fill the new memory with zeros first.
    before.buffer.transfer(0);
  }

  /** Writes the lines in memory to disk: behind the last run when they may follow it, else to a new one at `path`. */
  spill(path: string): void {
    const follows = this.#followsRuns();
    const writer = new RunWriter(follows ? this.runs.at(-1)! : path, follows);
    if (!follows) this.runs.push(path);
    try {
      if (this.#arenaInOrder) {
        writer.write(this.arena, 0, this.used);
        this.#keepKey(this.#lastStart, this.#lastKeyEnd);
      } else {
        const source = this.sorted();
        while (source.next()) writer.write(source.bytes, source.start - this.markBytes, source.end + 1);
        this.#keepKey(source.start, keyEnd(this.#order, this.arena, source.start, source.end));
      }
      writer.flush();
    } finally {
      writer.close();
    }
    this.used = 0;
    this.#arenaInOrder = true;
  }

  /** Whether what is on disk, and then the arena as it lies, are the section in its order. */
  isInOrder(): boolean {
    if (this.used === 0) return this.runs.length <= 1;
    return this.runs.length === 0 ? this.#arenaInOrder : this.runs.length === 1 && this.#followsRuns();
  }

  // Whether the lines in the arena, as they lie, may stand behind the last run.
  #followsRuns(): boolean {
    const last = this.#lastKey;
    if (last === null || !this.#arenaInOrder) return false;
    const start = this.markBytes;
    const first = keyEnd(this.#order, this.arena, start, this.arena.indexOf(NEWLINE, start));
    return compareRanges(last, 0, last.length, this.arena, start, first) <= 0;
  }

  /** The lines in the arena, in order. */
  sorted(): LineSource {
    const { starts, ends } = this.#lines();
    if (this.#arenaInOrder) return new ArenaSource(this.arena, starts, ends, null);
    const keyEnds = starts.map((start, i) => keyEnd(this.#order, this.arena, start, ends[i]!));
    const inOrder = (a: number, b: number) =>
      compareRanges(this.arena, starts[a]!, keyEnds[a]!, this.arena, starts[b]!, keyEnds[b]!) <= 0;
    return new ArenaSource(this.arena, starts, ends, mergeNaturalRuns(starts.length, inOrder));
  }

  #keepKey(start: number, end: number): void {
    this.#lastKey = end - start > KEPT_KEY_MAX_BYTES ? null : new Uint8Array(this.arena.subarray(start, end));
  }

  #lines(): { starts: Uint32Array; ends: Uint32Array } {
    let starts = new Uint32Array(1024);
    let ends = new Uint32Array(1024);
    let count = 0;
    for (let at = 0; at < this.used; count++) {
      if (count === starts.length) {
        starts = doubled(starts);
        ends = doubled(ends);
      }
      starts[count] = at + this.markBytes;
      ends[count] = this.arena.indexOf(NEWLINE, at);
      at = ends[count]! + 1;
    }
    return { starts: starts.subarray(0, count), ends: ends.subarray(0, count) };
  }
}

// Sorts 0..count-1 stably, where `inOrder(a, b)` says that a may stand before b.
function mergeNaturalRuns(count: number, inOrder: (a: number, b: number) => boolean): Uint32Array {
  let from = new Uint32Array(count);
  for (let i = 0; i < count; i++) from[i] = i;
  let bounds: number[] = [0];
  for (let i = 1; i < count; i++) if (!inOrder(i - 1, i)) bounds.push(i);
  if (bounds.length === 1) return from;
  bounds.push(count);
  let into = new Uint32Array(count);
  while (bounds.length > 2) {
    const merged: number[] = [0];
    for (let run = 0; run + 1 < bounds.length; run += 2) {
      const end = bounds[run + 2] ?? bounds[run + 1]!;
      mergePair(from, into, bounds[run]!, bounds[run + 1]!, end, inOrder);
      merged.push(end);
    }
    bounds = merged;
    [from, into] = [into, from];
  }
  return from;
}

function mergePair(
  from: Uint32Array,
  into: Uint32Array,
  start: number,
  middle: number,
  end: number,
  inOrder: (a: number, b: number) => boolean,
): void {
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    const takeLeft = left < middle && (right >= end || inOrder(from[left]!, from[right]!));
    into[at] = takeLeft ? from[left++]! : from[right++]!;
  }
}

function doubled(values: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2);
  larger.set(values);
  return larger;
}

class ArenaSource implements LineSource {
  readonly bytes: Uint8Array;
  start = 0;
  end = 0;
  keyEnd = 0;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #order: Uint32Array | null;
  #at = 0;

  /** @param order which line comes when; as they lie when null */
  constructor(arena: Uint8Array, starts: Uint32Array, ends: Uint32Array, order: Uint32Array | null) {
    this.bytes = arena;
    this.#starts = starts;
    this.#ends = ends;
    this.#order = order;
  }

  next(): boolean {
    if (this.#at === this.#starts.length) return false;
    const index = this.#order === null ? this.#at : this.#order[this.#at]!;
    this.#at++;
    this.start = this.#starts[index]!;
    this.end = this.#ends[index]!;
    return true;
  }

  close(): void {}
}
