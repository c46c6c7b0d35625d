// Holds the lines of a report's sections until they can be written in order. A log may be larger than memory, and a
// flood of lines that nobody ignores is just what an attacker would send: past a budget, sorted runs go to disk.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { compareRanges, sortKeyEnd } from "./order/match.ts";

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

const DEFAULT_BUDGET_BYTES = 24 << 20;
const FIRST_ARENA_BYTES = 1 << 20;
const NEWLINE = 0x0a;

/** Lines sorted into numbered sections; each section comes out in the order of logcheck's report. */
export class SortedLines {
  readonly #order: LineOrder;
  readonly #budgetBytes: number;
  readonly #spillDir: () => string;
  // Each line lies in the arena as one mark byte, its bytes, and a newline.
  #arena: Uint8Array;
  #used = 0;
  #sections: Spans[] = [];
  readonly #runs: Run[][] = [];
  #runCount = 0;

  constructor(options: SortedLinesOptions) {
    this.#order = options.order;
    this.#budgetBytes = options.budgetBytes ?? DEFAULT_BUDGET_BYTES;
    this.#spillDir = options.spillDir;
    this.#arena = new Uint8Array(Math.min(FIRST_ARENA_BYTES, this.#budgetBytes));
  }

  /** Adds a line to a section. `mark` is one byte that comes back with it. */
  add(section: number, bytes: Uint8Array, start: number, end: number, mark: number): void {
    const size = end - start + 2;
    if (this.#used + size > this.#arena.length) this.#makeRoom(size);
    const at = this.#used;
    this.#arena[at] = mark;
    this.#arena.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at + 1);
    this.#arena[at + size - 1] = NEWLINE;
    this.#used = at + size;
    (this.#sections[section] ??= new Spans()).push(at + 1, at + size - 1);
  }

  /** Visits the lines of a section in order. */
  visit(section: number, visitor: LineVisitor): void {
    const spans = this.#sections[section];
    const runs = this.#runs[section] ?? [];
    if (spans === undefined && runs.length === 0) return;
    const sources: LineSource[] = runs.map((run) => new RunSource(run));
    if (spans !== undefined) sources.push(new ArenaSource(this.#arena, spans, this.#sorted(spans)));
    try {
      this.#merge(sources, visitor);
    } finally {
      for (const source of sources) source.close();
    }
  }

  /** Removes what was written to disk. */
  [Symbol.dispose](): void {
    for (const run of this.#runs.flat()) if (run !== undefined) unlinkSync(run.path);
    this.#runs.length = 0;
  }

  #makeRoom(size: number): void {
    if (this.#used > 0 && this.#used + size > this.#budgetBytes) this.#spill();
    if (this.#used + size <= this.#arena.length) return;
    let length = this.#arena.length;
    while (length < this.#used + size) length *= 2;
    const larger = new Uint8Array(Math.max(Math.min(length, this.#budgetBytes), this.#used + size));
    larger.set(this.#arena.subarray(0, this.#used));
    this.#arena = larger;
  }

  #spill(): void {
    this.#sections.forEach((spans, section) => {
      const path = join(this.#spillDir(), `run-${this.#runCount++}`);
      (this.#runs[section] ??= []).push({ path });
      const writer = new RunWriter(path);
      const source = new ArenaSource(this.#arena, spans, this.#sorted(spans));
      try {
        while (source.next()) writer.write(source.bytes, source.start - 1, source.end + 1);
        writer.flush();
      } finally {
        writer.close();
      }
    });
    this.#sections = [];
    this.#used = 0;
  }

  // Stable: of equal lines the one from the earlier source, and within a source the earlier one, comes first.
  #merge(sources: readonly LineSource[], visitor: LineVisitor): void {
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
        visitor(bytes, start, end, bytes[start - 1]!);
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
    source.keyEnd = this.#keyEnd(source.bytes, source.start, source.end);
    return true;
  }

  #keyEnd(bytes: Uint8Array, start: number, end: number): number {
    if (this.#order === "arrival") return start; // equal keys: the merge is stable
    return this.#order === "lines" ? end : sortKeyEnd(bytes, start, end);
  }

  // The order of the spans. Logs are mostly in order already: runs that are need no comparing twice.
  #sorted(spans: Spans): Uint32Array {
    const arena = this.#arena;
    const { starts, ends, count } = spans;
    const keyEnds = new Uint32Array(count);
    for (let i = 0; i < count; i++) keyEnds[i] = this.#keyEnd(arena, starts[i]!, ends[i]!);
    const inOrder = (a: number, b: number) =>
      compareRanges(arena, starts[a]!, keyEnds[a]!, arena, starts[b]!, keyEnds[b]!) <= 0;
    return mergeNaturalRuns(count, inOrder);
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

class Spans {
  starts = new Uint32Array(64);
  ends = new Uint32Array(64);
  count = 0;

  push(start: number, end: number): void {
    if (this.count === this.starts.length) {
      this.starts = doubled(this.starts);
      this.ends = doubled(this.ends);
    }
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count++;
  }
}

function doubled(values: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2);
  larger.set(values);
  return larger;
}

// Lines one after another: the current one is bytes[start, end), its mark the byte before it.
type LineSource = {
  bytes: Uint8Array;
  start: number;
  end: number;
  keyEnd: number;
  next(): boolean;
  close(): void;
};

class ArenaSource implements LineSource {
  readonly bytes: Uint8Array;
  start = 0;
  end = 0;
  keyEnd = 0;
  readonly #spans: Spans;
  readonly #order: Uint32Array;
  #at = 0;

  constructor(arena: Uint8Array, spans: Spans, order: Uint32Array) {
    this.bytes = arena;
    this.#spans = spans;
    this.#order = order;
  }

  next(): boolean {
    if (this.#at === this.#order.length) return false;
    const index = this.#order[this.#at++]!;
    this.start = this.#spans.starts[index]!;
    this.end = this.#spans.ends[index]!;
    return true;
  }

  close(): void {}
}

type Run = { readonly path: string };

const RUN_BUFFER_BYTES = 256 << 10;

class RunSource implements LineSource {
  bytes = new Uint8Array(RUN_BUFFER_BYTES);
  start = 0;
  end = -1;
  keyEnd = 0;
  readonly #fd: number;
  #filled = 0;

  constructor(run: Run) {
    this.#fd = openSync(run.path, "r");
  }

  next(): boolean {
    const mark = this.end + 1;
    let newline = this.#newline(mark);
    if (newline < 0) {
      newline = this.#refill(mark);
      if (newline < 0) return false;
      this.start = 1;
    } else this.start = mark + 1;
    this.end = newline;
    return true;
  }

  close(): void {
    closeSync(this.#fd);
  }

  // Where the line whose mark is at `mark` ends, or -1 when it is not wholly here. The mark is never a newline.
  #newline(mark: number): number {
    const at = this.bytes.indexOf(NEWLINE, mark);
    return at < 0 || at >= this.#filled ? -1 : at;
  }

  // Moves the unfinished line to the front and reads on until it ends.
  #refill(mark: number): number {
    this.bytes.copyWithin(0, mark, this.#filled);
    this.#filled -= mark;
    for (;;) {
      if (this.#filled === this.bytes.length) {
        const larger = new Uint8Array(this.bytes.length * 2);
        larger.set(this.bytes);
        this.bytes = larger;
      }
      const before = this.#filled;
      const got = readSync(this.#fd, this.bytes, before, this.bytes.length - before, null);
      if (got === 0) return -1;
      this.#filled += got;
      const newline = this.#newline(0);
      if (newline >= 0) return newline;
    }
  }
}

class RunWriter {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(RUN_BUFFER_BYTES);
  #used = 0;

  constructor(path: string) {
    this.#fd = openSync(path, "wx", 0o600);
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    if (this.#used + (end - start) > this.#buffer.length) this.flush();
    if (end - start > this.#buffer.length) writeAll(this.#fd, bytes.subarray(start, end));
    else {
      this.#buffer.set(bytes.subarray(start, end), this.#used);
      this.#used += end - start;
    }
  }

  flush(): void {
    writeAll(this.#fd, this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
