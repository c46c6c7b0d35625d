// One log through all its incarnations: reads the present file, notices that it was rotated, truncated or
// replaced, reads what was written to the earlier ones first, and commits every line with the place after it.
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describeError, MissingPartError } from "../../core/errors.ts";
import type { EventBody } from "../../core/events.ts";
import { type Archive, type ArchiveResult, readArchive, StoppedError } from "./archive.ts";
import { CommitError, noticesOf } from "./batch.ts";
import { type Draining, type FileCursor, readCursor, type Spot } from "./cursor.ts";
import { type Generation, newerThan, sameFile, sameFiles } from "./generations.ts";
import { Incarnation, type ReadResult, type Skipped, type Take } from "./incarnation.ts";
import { listGenerations } from "./listing.ts";
import { locate, locateDrain, type Search } from "./locate.ts";
import { type FileFacts, factsNow, factsOf, isOpen, openLog, orClose, type Unreadable } from "./open-log.ts";
import type { SplitOptions } from "./split.ts";
import type { LogSurroundings } from "./surroundings.ts";

// Lines of one batch: a commit of some milliseconds.
const MAX_BATCH_LINES = 4_096;

// A writer is told to reopen within moments of the rotation; syslog daemons and web servers take seconds.
const DRAIN_MS = 10 * 60_000;
const MAX_DRAINS = 4;

// A last line without newline in a file that was rotated away is whole when nobody wrote to the file for so long.
const SETTLED_MS = 2_000;

// The kernel stamps files with the time of its last tick.
const FILE_TIME_LAG_MS = 20;

// Looks at a folder until rotation leaves it alone: a rotation takes milliseconds.
const MAX_TRIES = 50;

// A compressor gives the archive the time of the file, to the nanosecond or as near as it can write one.
const SAME_TIME_MS = 1;

// What was told once is remembered, so that it is not told again: as much of it as a log has generations.
const MAX_TOLD = 100;

export class FollowedLog {
  readonly path: string;
  readonly #around: LogSurroundings;
  readonly #chunk: Buffer;
  readonly #from: "start" | "end";
  /** As it was committed last. */
  #cursor: FileCursor | null;
  /** The cursor was turned into open files. */
  #resumed = false;
  #current: Incarnation | null = null;
  #drains: { incarnation: Incarnation; sinceMs: number }[] = [];
  /** Archives of files that were drained. */
  #drainedArchives: { readonly device: string; readonly inode: string }[] = [];
  /** Of the cursor's drains, those that were not looked for yet. */
  #unresumed: Draining[] = [];
  /** The incarnation that was read to its end last: what comes next was written after it. */
  #last: { readonly device: string; readonly inode: string; readonly mtimeMs: number } | null = null;
  /** Where the path leads: another one when it is a link. */
  #realPath: string;
  /** Generations that had changed between being listed and being opened, since the last batch. */
  #misses = 0;
  /** What the next batch has to tell. */
  #pending: EventBody[] = [];
  readonly #told = new Set<string>();

  constructor(path: string, from: "start" | "end", chunk: Buffer, around: LogSurroundings) {
    this.path = path;
    this.#from = from;
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
      if (await this.#passedBy(this.#current)) return "more";
      const result = await this.#read(this.#current, false);
      if (result === "idle") return await this.#atEnd(this.#current);
      // The bytes before our place are gone: where they went is found from the cursor.
      if (result === "replaced") await this.release();
      return "more";
    } catch (error) {
      await this.release();
      if (error instanceof CommitError) throw error;
      if (error instanceof StoppedError) return "idle";
      const mend = "look at the file system that holds the log";
      this.#tell({ path: this.path, why: describeError(error), mend });
      return "idle";
    }
  }

  /** Closes all files; a later look begins again from the last cursor. */
  async release(): Promise<void> {
    const open = this.#drains.map(({ incarnation }) => incarnation);
    if (this.#current !== null) open.push(this.#current);
    this.#drains = [];
    this.#unresumed = [];
    this.#misses = 0;
    this.#current = null;
    this.#last = null;
    this.#resumed = false;
    this.#pending = [];
    for (const incarnation of open) await incarnation.close();
  }

  // --- the incarnation in hand ------------------------------------------------------------------------------

  async #atEnd(current: Incarnation): Promise<"more" | "idle"> {
    const here = await this.#here();
    if (here !== null && sameFile(here, current)) return "idle";
    // Rotated away. Once more: it may have been written to between our last read and its being renamed.
    const moved = here !== null && here.sizeBytes > 0;
    const result = await this.#read(current, moved || this.#settled(current));
    if (result === "more") return "more";
    if (result === "replaced") {
      await this.release();
      return "more";
    }
    this.#last = current;
    this.#current = null;
    this.#drains.push({ incarnation: current, sinceMs: this.#nowMs() });
    return "more";
  }

  /** Opens what was written after the last incarnation: an earlier generation we never saw, or the log itself. */
  async #openNext(): Promise<"more" | "idle"> {
    // The log first, the generations after it: what is rotated away in between is then among the generations.
    const opened = await openLog(this.path, this.#around.openForUs);
    const next = await orClose(opened, () => this.#nextGeneration());
    if (next !== undefined && !(isOpen(opened) && sameFile(opened, next))) {
      if (isOpen(opened)) await opened.handle.close();
      await this.#openGeneration(next);
      // A generation that is listed but can never be opened as listed must not keep us busy for ever.
      return this.#misses < MAX_TRIES ? "more" : "idle";
    }
    if (opened === null) {
      // Said once, so that whatever appears later is known to be new from its first byte.
      if (this.#cursor === null) this.#deliver([], null);
      return "idle";
    }
    if (!isOpen(opened)) {
      this.#tell(opened);
      return "idle";
    }
    this.#told.clear();
    this.#realPath = opened.path;
    const skip = this.#cursor === null && this.#from === "end";
    this.#current = await (skip ? Incarnation.beginAtEnd(opened) : Incarnation.begin(opened));
    this.#deliver([], this.#current.spot);
    return "more";
  }

  async #nextGeneration(): Promise<Generation | undefined> {
    if (this.#last === null) return undefined;
    const last = this.#last;
    const all = await this.#generations();
    const found = all.find((one) => sameFile(one, last)) ?? null;
    return this.#unread(newerThan(all, found, last.mtimeMs))[0];
  }

  /**
   * A file that was empty when we saw it last shows nothing when lines were written to it, copied away and truncated:
   * only the copies do. True when there are such; they come before what is in the file now.
   */
  async #passedBy(current: Incarnation): Promise<boolean> {
    if (!current.wasEmpty) return false;
    if (!(await current.wasTouched())) return false;
    const newer = this.#unread(newerThan(await this.#generations(), null, current.mtimeMs));
    if (newer.every((one) => sameFile(one, current))) return false;
    this.#last = { device: "", inode: "", mtimeMs: current.mtimeMs };
    this.#current = null;
    await current.close();
    return true;
  }

  /** Without those whose late lines are being read already. */
  #unread(generations: readonly Generation[]): Generation[] {
    const drained = [...this.#drains.map(({ incarnation }) => incarnation), ...this.#drainedArchives];
    return generations.filter((one) => !drained.some((other) => sameFile(one, other)));
  }

  async #openGeneration(next: Generation): Promise<void> {
    if (next.compression !== null) {
      if (await this.#isBeingDrained(next as Archive)) {
        this.#last = next;
        return;
      }
      const take: Take = (lines, after, skipped) => this.#deliver(lines, after, skipped);
      const result = await this.#readArchive(next as Archive, null, take);
      if (result === "unreadable") this.#lost(`${next.path} cannot be read to its end`);
      if (result === "gone") this.#misses++;
      else this.#last = next;
      return;
    }
    const opened = await openLog(next.path, this.#around.openForUs);
    if (isOpen(opened)) {
      // Another file than the one listed: rotated again in between, so look again.
      if (!sameFile(opened, next)) {
        this.#misses++;
        return await opened.handle.close();
      }
      this.#current = await Incarnation.begin(opened);
      this.#deliver([], this.#current.spot);
    } else if (opened !== null) {
      this.#tell(opened);
      this.#lost(`${next.path} cannot be read`);
      this.#last = next;
    } else {
      this.#misses++;
    }
  }

  // Compressed while we read its lines, the plain file gone: what is added to that is still ours through the open file.
  async #isBeingDrained(archive: Archive): Promise<boolean> {
    for (const { incarnation } of this.#drains) {
      const { spot } = incarnation;
      if (spot.head.bytes === 0 || Math.abs(archive.mtimeMs - incarnation.mtimeMs) >= SAME_TIME_MS) continue;
      const result = await this.#readArchive(archive, spot, () => {});
      if (result === "read" || result === "shorter") return true;
    }
    return false;
  }

  // --- files that were rotated away -------------------------------------------------------------------------

  async #readDrains(): Promise<"more" | "idle"> {
    const moved = this.#current !== null && this.#current.sizeBytes > 0;
    let dropped = false;
    for (const drain of [...this.#drains]) {
      const { incarnation, sinceMs } = drain;
      const crowded = this.#drains.length > MAX_DRAINS;
      const result = await this.#read(incarnation, moved || crowded || this.#settled(incarnation));
      if (result === "more") return "more";
      const over = incarnation.finished && (crowded || this.#nowMs() - sinceMs >= DRAIN_MS);
      if (result === "idle" && !over) continue;
      this.#drains = this.#drains.filter((other) => other !== drain);
      await incarnation.close();
      dropped = true;
    }
    if (dropped) this.#deliver([], this.#spotNow());
    return "idle";
  }

  // --- after a restart --------------------------------------------------------------------------------------

  async #resume(): Promise<void> {
    this.#resumed = true;
    const cursor = this.#cursor;
    if (cursor === null) return;
    const { spot } = cursor;
    if (spot === null) {
      this.#last = { device: "", inode: "", mtimeMs: cursor.absentMs ?? 0 };
      return;
    }
    this.#realPath = await realpath(this.path).catch(() => this.path); // No log at present.
    this.#unresumed = [...cursor.draining];
    for (const { spot: drained, sinceMs } of cursor.draining) {
      const found = await this.#whileUnchanged(
        (search) => locateDrain(drained, search),
        (place) => place === "nowhere",
        (lines, after, skipped) => {
          this.#unresumed[0] = { spot: after, sinceMs };
          this.#drainedArchives = [after, ...this.#drainedArchives].slice(0, MAX_DRAINS);
          this.#deliver(lines, this.#spotNow(), skipped);
        },
      );
      if (found instanceof Incarnation) this.#drains.push({ incarnation: found, sinceMs });
      this.#unresumed.shift();
    }
    const here = await this.#here();
    if (here !== null && sameFile(here, spot)) {
      // As nearly always: it grew, and that is all. No need to look at what else is in the folder.
      const opened = await openLog(this.path, this.#around.openForUs);
      this.#current = isOpen(opened) ? await Incarnation.resume(opened, spot) : null;
      if (this.#current !== null) return;
    }
    const place = await this.#whileUnchanged(
      (search) => locate(spot, search),
      (found) => found.in === "nowhere",
      (lines, after, skipped) => this.#deliver(lines, after, skipped),
    );
    switch (place.in) {
      case "file":
        this.#current = place.incarnation;
        return;
      case "archive":
        this.#last = place.archive;
        return;
      case "copy":
        this.#last = place.generation;
        return;
      case "nowhere":
        this.#last = spot;
        this.#notFound(spot, place.nowBytes);
    }
  }

  #notFound(spot: Spot, nowBytes: number | null): void {
    if (spot.offset === 0) return;
    if (nowBytes !== null) {
      this.#pending.push({ type: "log.shrank", path: this.path, fromBytes: spot.offset, toBytes: nowBytes });
    } else {
      this.#lost("the file that was read last is gone: what was written to it after that was not seen");
    }
  }

  /** Searches again when nothing was found and rotation moved files meanwhile: it may have been under two names. */
  async #whileUnchanged<T>(
    search: (search: Search) => Promise<T>,
    isNowhere: (result: T) => boolean,
    take: Take,
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      const generations = await this.#generations();
      const result = await search({
        log: this.path,
        here: await this.#here(),
        generations,
        tell: (unreadable) => this.#tell(unreadable),
        openForUs: this.#around.openForUs,
        readArchive: async (archive, spot) => {
          const read = await this.#readArchive(archive, spot, take);
          return read === "unreadable" ? "other" : read;
        },
      });
      if (!isNowhere(result) || tries === MAX_TRIES) return result;
      if (sameFiles(generations, await this.#generations())) return result;
    }
  }

  /** What stands at the log's path now; null when there is nothing, or a link that leads elsewhere than before. */
  async #here(): Promise<FileFacts | null> {
    try {
      if (this.#realPath !== this.path && (await realpath(this.path)) !== this.#realPath) return null;
      return this.#current?.isLocal === true ? factsNow(this.#realPath) : await factsOf(this.#realPath);
    } catch {
      return null; // Renamed away, or its folder closed to us: then openLog says why.
    }
  }

  async #generations(): Promise<Generation[]> {
    const isOther = (path: string) => path !== this.path && this.#around.isFollowed(path);
    const old = this.#around.generationFolders(this.path).map((folder) => join(folder, basename(this.path)));
    const places = new Set([this.#realPath, this.path, ...old]);
    return listGenerations(places, isOther);
  }

  // --- reading and handing out ------------------------------------------------------------------------------

  #read(incarnation: Incarnation, final: boolean): Promise<ReadResult> {
    return incarnation.read(this.#chunk, this.#split(final), (lines, _, skipped) =>
      this.#deliver(lines, this.#spotNow(), skipped),
    );
  }

  async #readArchive(archive: Archive, spot: Spot | null, take: Take): Promise<ArchiveResult | "unreadable"> {
    try {
      return await readArchive(archive, spot, this.#split(true), take, this.#around);
    } catch (error) {
      if (error instanceof CommitError || error instanceof StoppedError) throw error;
      const mend =
        error instanceof MissingPartError ? error.mend : "look with `gzip -t` or its like if it is whole";
      this.#tell({ path: archive.path, why: describeError(error), mend });
      return "unreadable";
    }
  }

  #spotNow(): Spot | null {
    return this.#current?.spot ?? this.#cursor?.spot ?? null;
  }

  #deliver(lines: Uint8Array[], spot: Spot | null, skipped?: Skipped): void {
    const drains = this.#drains.map(({ incarnation, sinceMs }) => ({ spot: incarnation.spot, sinceMs }));
    const cursor: FileCursor = {
      v: 1,
      spot,
      draining: [...drains, ...this.#unresumed],
      ...(spot === null ? { absentMs: this.#nowMs() - FILE_TIME_LAG_MS } : {}),
    };
    const notices = [...this.#pending, ...noticesOf(skipped, this.path, this.#around.maxLineBytes)];
    try {
      this.#around.commit({ source: this.path, lines, cursor, notices });
    } catch (error) {
      throw new CommitError(error);
    }
    this.#cursor = cursor;
    this.#pending = [];
    this.#misses = 0;
  }

  #lost(because: string): void {
    this.#pending.push({ type: "lines.skipped", source: this.path, count: 0, because });
  }

  #tell({ path, why, mend }: Unreadable): void {
    if (this.#told.has(`${path}: ${why}`)) return;
    if (this.#told.size >= MAX_TOLD) this.#told.clear();
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
