// One log through all its incarnations: reads the present file, notices that it was rotated, truncated or
// replaced, reads what was written to the earlier ones first, and commits every line with the place after it.
import { basename, dirname } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { describeError, MissingPartError } from "../../core/errors.ts";
import type { Emit, EventBody } from "../../core/events.ts";
import type { CursorShelf } from "../types.ts";
import { type Archive, readArchive } from "./archive.ts";
import { type Draining, type FileCursor, fingerprint, readCursor, type Spot } from "./cursor.ts";
import { byAge, type Generation, newerThan } from "./generations.ts";
import { CHUNK_BYTES, Incarnation, type Skipped } from "./incarnation.ts";
import { listGenerations } from "./listing.ts";
import { type FileFacts, factsOf, isOpen, type OpenedLog, openLog, type Unreadable } from "./open-log.ts";
import type { SplitOptions } from "./split.ts";

export type LineBatch = {
  readonly source: string;
  /** Without their newlines. Views that are valid only until `commit` returns: copy what you keep. */
  readonly lines: Uint8Array[];
  readonly cursor: FileCursor;
  /** What to record with these lines: a log that shrank, lines that were cut. */
  readonly notices: EventBody[];
};

export type LogSurroundings = {
  readonly cursors: CursorShelf;
  readonly commit: (batch: LineBatch) => void;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly from: "start" | "end";
  readonly maxLineBytes: number;
  /** Further folders where generations of this log may be (logrotate's `olddir`). */
  readonly generationFolders: (path: string) => readonly string[];
  readonly isFollowed: (path: string) => boolean;
};

/** What `commit` threw, told apart from what reading throws. */
export class CommitError extends Error {
  constructor(cause: unknown) {
    super(describeError(cause), { cause });
    this.name = "CommitError";
  }
}

// Lines of one batch: a commit of some milliseconds.
const MAX_BATCH_LINES = 4_096;

// A writer is told to reopen within moments of the rotation; syslog daemons and web servers take seconds.
const DRAIN_MS = 10 * 60_000;
const MAX_DRAINS = 4;

// A last line without newline in a file that was rotated away is whole when nobody wrote to the file for so long.
const SETTLED_MS = 2_000;

export class FollowedLog {
  readonly path: string;
  readonly #around: LogSurroundings;
  readonly #chunk: Buffer;
  #cursor: FileCursor | null = null;
  #current: Incarnation | null = null;
  #drains: { incarnation: Incarnation; sinceMs: number }[] = [];
  /** The incarnation that was read to its end last: what comes next was written after it. */
  #last: { device: string; inode: string; mtimeMs: number } | null = null;
  /** The cursor was turned into open files. */
  #resumed = false;
  #realPath: string;
  #told = new Set<string>();
  #pending: EventBody[] = [];

  constructor(path: string, chunk: Buffer, around: LogSurroundings) {
    this.path = path;
    this.#realPath = path;
    this.#chunk = chunk;
    this.#around = around;
    this.#cursor = readCursor(around.cursors.get(path));
  }

  /** The folders where something may happen to this log. */
  get folders(): string[] {
    return [...new Set([dirname(this.path), dirname(this.#realPath)])];
  }

  /** Whether a file of that name, in one of the folders, may be this log or a generation of it. */
  concerns(name: string): boolean {
    const own = [basename(this.path), basename(this.#realPath)];
    return own.some((log) => name.startsWith(log.replace(/\.[^.]*$/, "")));
  }

  /** Reads on; "more" when there is more to read now. Throws CommitError, after which the same is read again. */
  async look(): Promise<"more" | "idle"> {
    try {
      if (!this.#resumed) await this.#resume();
      if ((await this.#readDrains()) === "more") return "more";
      if (this.#current === null) return await this.#openNext();
      switch (await this.#current.read(this.#chunk, this.#split(false), this.#take)) {
        case "more":
          return "more";
        case "replaced":
          await this.#release();
          return "more";
        case "idle":
          return await this.#idle(this.#current);
      }
    } catch (error) {
      await this.#release();
      if (error instanceof CommitError) throw error;
      this.#tell({
        path: this.path,
        why: describeError(error),
        mend: "look at the file system that holds the log",
      });
      return "idle";
    }
  }

  /** Closes all files; a later look begins again from the last cursor. */
  async release(): Promise<void> {
    await this.#release();
  }

  async #release(): Promise<void> {
    const open = [
      ...this.#drains.map(({ incarnation }) => incarnation),
      ...(this.#current ? [this.#current] : []),
    ];
    this.#drains = [];
    this.#current = null;
    this.#last = null;
    this.#resumed = false;
    this.#pending = [];
    for (const incarnation of open) await incarnation.close();
  }

  // --- the present file -------------------------------------------------------------------------------------

  async #idle(current: Incarnation): Promise<"more" | "idle"> {
    const here = await factsOf(this.#realPath).catch(() => null); // Renamed away: rotated, as far as we are concerned.
    if (here !== null && current.isFile(here)) return "idle";
    const moved = here !== null && here.sizeBytes > 0;
    // Once more: it may have been written to between our last read and its being renamed.
    const result = await current.read(this.#chunk, this.#split(moved || this.#settled(current)), this.#take);
    if (result === "more") return "more";
    if (result === "replaced") {
      await this.#release();
      return "more";
    }
    this.#last = current;
    this.#drains.push({ incarnation: current, sinceMs: this.#nowMs() });
    this.#current = null;
    if (this.#drains.length > MAX_DRAINS) await this.#drains.shift()!.incarnation.close();
    return "more";
  }

  /** Opens what was written after the last incarnation: an earlier generation we never saw, or the log itself. */
  async #openNext(): Promise<"more" | "idle"> {
    if (this.#last !== null) {
      const last = this.#last;
      const all = await this.#generations();
      const found = all.find((one) => sameFile(one, last)) ?? null;
      const next = newerThan(all, found, last.mtimeMs)[0];
      if (next !== undefined) return this.#openGeneration(next);
    }
    const opened = await openLog(this.path);
    if (opened === null) {
      if (this.#cursor === null) this.#deliver([], null);
      return "idle";
    }
    if (!isOpen(opened)) {
      this.#tell(opened);
      return "idle";
    }
    this.#told.clear();
    this.#realPath = opened.path;
    const fresh = this.#cursor === null && this.#around.from === "end";
    await this.#begin(opened, fresh);
    return "more";
  }

  async #openGeneration(next: Generation): Promise<"more" | "idle"> {
    if (next.compression !== null) {
      await this.#readArchive(next as Archive, null);
      return "more";
    }
    const opened = await openLog(next.path);
    if (isOpen(opened)) {
      if (sameFile(opened, next)) await this.#begin(opened, false);
      else await opened.handle.close();
    } else if (opened !== null) {
      this.#tell(opened);
      this.#lost(`${next.path} cannot be read`);
      this.#last = next;
    }
    return "more";
  }

  async #begin(opened: OpenedLog, atEnd: boolean): Promise<void> {
    this.#current = await mustClose(opened, () =>
      atEnd ? Incarnation.beginAtEnd(opened) : Incarnation.begin(opened),
    );
    this.#deliver([], this.#current.spot);
  }

  // --- earlier generations ----------------------------------------------------------------------------------

  async #readDrains(): Promise<"more" | "idle"> {
    const moved = this.#current !== null && this.#current.sizeBytes > 0;
    let dropped = false;
    for (const drain of [...this.#drains]) {
      const { incarnation, sinceMs } = drain;
      const final = moved || this.#settled(incarnation);
      const result = await incarnation.read(this.#chunk, this.#split(final), this.#take);
      if (result === "more") return "more";
      const over = incarnation.finished && this.#nowMs() - sinceMs >= DRAIN_MS;
      if (result === "idle" && !over) continue;
      this.#drains = this.#drains.filter((other) => other !== drain);
      dropped = true;
      await incarnation.close();
    }
    if (dropped && this.#cursor !== null) this.#deliver([], this.#current?.spot ?? this.#cursor.spot);
    return "idle";
  }

  /** Reads an archive after `spot`; what cannot be read is told and passed over. False when it is another file's. */
  async #readArchive(
    archive: Archive,
    spot: Spot | null,
    draining = false,
  ): Promise<ReturnType<typeof readArchive>> {
    const take = draining
      ? (lines: Uint8Array[], _: Spot, skipped: Skipped) => this.#deliver(lines, this.#spotNow(), skipped)
      : (lines: Uint8Array[], after: Spot, skipped: Skipped) => this.#deliver(lines, after, skipped);
    try {
      const result = await readArchive(archive, spot, this.#split(true), take);
      if (result === "read" && !draining) this.#last = archive;
      return result;
    } catch (error) {
      if (error instanceof CommitError) throw error;
      const mend =
        error instanceof MissingPartError ? error.mend : "look whether the file is whole: `gzip -t`, `xz -t`";
      this.#tell({ path: archive.path, why: describeError(error), mend });
      if (spot !== null) return "other";
      this.#lost(`${archive.path} cannot be read to its end`);
      this.#last = archive;
      return "read";
    }
  }

  async #resume(): Promise<void> {
    const cursor = this.#cursor;
    this.#resumed = true;
    if (cursor === null) return;
    if (cursor.spot === null) {
      if (cursor.absentMs !== undefined) this.#last = { device: "", inode: "", mtimeMs: cursor.absentMs };
      return;
    }
    await this.#locate(cursor.spot);
    for (const draining of cursor.draining) await this.#resumeDrain(draining);
  }

  async #resumeDrain({ spot, sinceMs }: Draining): Promise<void> {
    const all = await this.#generations();
    for (const generation of all.filter((one) => one.compression === null && sameFile(one, spot))) {
      const incarnation = await this.#resumeFile(generation.path, spot);
      if (incarnation !== null) {
        this.#drains.push({ incarnation, sinceMs });
        return;
      }
    }
    for (const archive of archivesSince(all, spot)) {
      if ((await this.#readArchive(archive, spot, true)) !== "other") return;
    }
  }

  /** Finds the file that holds the place, wherever it went, and goes on there. */
  async #locate(spot: Spot): Promise<void> {
    const all = await this.#generations();
    const here = await factsOf(this.#realPath).catch(() => null); // No log at present: one of its generations, then.
    const inPlace = here !== null && sameFile(here, spot);

    const plain = all.filter(({ compression }) => compression === null).sort(byAge);
    const same = plain.filter((one) => sameFile(one, spot)).map(({ path }) => path);
    if (inPlace) same.unshift(this.path);
    // A copy, or the same file on a disk that was given another number, is told by its content; the oldest first:
    // should two fit, nothing is lost.
    const alike =
      spot.head.bytes === 0 ? [] : [...plain.filter(since(spot)).map(({ path }) => path), this.path];
    for (const path of [...same, ...alike]) {
      const incarnation = await this.#resumeFile(path, spot);
      if (incarnation === null) continue;
      this.#current = incarnation;
      return;
    }
    if (spot.head.bytes > 0) {
      let shorter: Generation | undefined;
      for (const archive of archivesSince(all, spot)) {
        const result = await this.#readArchive(archive, spot);
        if (result === "read") return;
        if (result === "shorter") shorter = archive;
      }
      shorter ??= inPlace ? await this.#shorterCopy(plain.filter(since(spot)), spot) : undefined;
      // copytruncate copied less than we had read by then: nothing of the copy is new.
      if (shorter !== undefined) {
        this.#last = shorter;
        return;
      }
    }
    this.#last = spot;
    if (spot.offset === 0) return;
    if (inPlace) {
      this.#pending.push({
        type: "log.shrank",
        path: this.path,
        fromBytes: spot.offset,
        toBytes: here.sizeBytes,
      });
    } else {
      this.#lost("the file read last is gone: what was written to it after that was not seen");
    }
  }

  async #shorterCopy(plain: readonly Generation[], spot: Spot): Promise<Generation | undefined> {
    for (const generation of [...plain].reverse()) {
      if (generation.sizeBytes >= spot.offset || generation.sizeBytes < spot.head.bytes) continue;
      const beginning = { ...spot, offset: 0, near: fingerprint(new Uint8Array()) };
      const incarnation = await this.#resumeFile(generation.path, beginning);
      await incarnation?.close();
      if (incarnation !== null) return generation;
    }
    return undefined;
  }

  async #resumeFile(path: string, spot: Spot): Promise<Incarnation | null> {
    const opened = await openLog(path);
    if (!isOpen(opened)) {
      if (opened !== null) this.#tell(opened);
      return null;
    }
    const incarnation = await mustClose(opened, () => Incarnation.resume(opened, spot));
    if (incarnation === null) await opened.handle.close();
    return incarnation;
  }

  async #generations(): Promise<Generation[]> {
    const isOther = (path: string) => path !== this.path && this.#around.isFollowed(path);
    const places = new Map(
      [this.path, this.#realPath].map((path) => [dirname(path), basename(path)] as const),
    );
    for (const folder of this.#around.generationFolders(this.path)) places.set(folder, basename(this.path));
    const lists = [...places].map(([folder, name]) => listGenerations(folder, name, isOther));
    return (await Promise.all(lists)).flat();
  }

  // --- handing out ------------------------------------------------------------------------------------------

  readonly #take = (lines: Uint8Array[], _spot: Spot, skipped: Skipped): void => {
    this.#deliver(lines, this.#spotNow(), skipped);
  };

  #spotNow(): Spot | null {
    return this.#current?.spot ?? this.#cursor?.spot ?? null;
  }

  #deliver(lines: Uint8Array[], spot: Spot | null, skipped?: Skipped): void {
    const cursor: FileCursor = {
      v: 1,
      spot,
      draining: this.#drains.map(({ incarnation, sinceMs }) => ({ spot: incarnation.spot, sinceMs })),
      ...(spot === null ? { absentMs: this.#nowMs() } : {}),
    };
    const notices = [...this.#pending, ...this.#noticesOf(skipped)];
    try {
      this.#around.commit({ source: this.path, lines, cursor, notices });
    } catch (error) {
      throw new CommitError(error);
    }
    this.#cursor = cursor;
    this.#pending = [];
  }

  #noticesOf(skipped: Skipped | undefined): EventBody[] {
    const notices: EventBody[] = [];
    const source = this.path;
    if (skipped !== undefined && skipped.cutLines > 0) {
      const because = `longer than ${this.#around.maxLineBytes} bytes: only the beginning was read`;
      notices.push({ type: "lines.skipped", source, count: skipped.cutLines, because });
    }
    if (skipped !== undefined && skipped.nulBytes > 0) {
      const because = `${skipped.nulBytes} NUL bytes before a line left out: its writer does not append, or a crash`;
      notices.push({ type: "lines.skipped", source, count: 0, because });
    }
    return notices;
  }

  #lost(because: string): void {
    this.#pending.push({ type: "lines.skipped", source: this.path, count: 0, because });
  }

  #tell({ path, why, mend }: Unreadable): void {
    if (this.#told.has(`${path}: ${why}`)) return;
    if (this.#told.size > 100) this.#told.clear();
    this.#told.add(`${path}: ${why}`);
    this.#around.emit({ type: "log.unreadable", path, why, mend });
  }

  #split(final: boolean): SplitOptions {
    return { maxLineBytes: this.#around.maxLineBytes, maxLines: MAX_BATCH_LINES, final };
  }

  #settled(incarnation: Incarnation): boolean {
    return this.#nowMs() - incarnation.mtimeMs >= SETTLED_MS;
  }

  #nowMs(): number {
    return this.#around.clock.now().getTime();
  }
}

/** The buffer that logs read one after another share. */
export function newChunk(): Buffer {
  return Buffer.allocUnsafeSlow(CHUNK_BYTES);
}

function sameFile(a: { device: string; inode: string }, b: { device: string; inode: string }): boolean {
  return a.device === b.device && a.inode === b.inode;
}

// Compressors keep the time of the file, some only whole seconds of it.
function since(spot: Spot): (facts: FileFacts) => boolean {
  const second = Math.floor(spot.mtimeMs / 1_000) * 1_000;
  return ({ mtimeMs }) => mtimeMs >= second;
}

function archivesSince(all: readonly Generation[], spot: Spot): Archive[] {
  return all.filter((one): one is Archive => one.compression !== null && since(spot)(one)).sort(byAge);
}

async function mustClose<T>(opened: OpenedLog, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await opened.handle.close();
    throw error;
  }
}
