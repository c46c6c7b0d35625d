// Follows log files live: every line is handed over once, whatever rotation does to the files, with the place after
// it, so that whoever keeps both in one transaction neither loses nor doubles a line.
import { type Clock, systemClock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import { every, type Round } from "../../core/rounds.ts";
import type { CursorShelf, Follower } from "../types.ts";
import { CommitError, type LineBatch } from "./batch.ts";
import { FollowedLog } from "./followed-log.ts";
import { CHUNK_BYTES } from "./incarnation.ts";
import type { OpenForUs } from "./open-log.ts";
import type { LogSurroundings } from "./surroundings.ts";
import { FolderWatch } from "./watch.ts";

export type { Follower } from "../types.ts";
export type { LineBatch } from "./batch.ts";
export type { FileCursor } from "./cursor.ts";
export type { OpenForUs } from "./open-log.ts";

export type FollowFilesOptions = {
  readonly paths: readonly string[];
  readonly cursors: CursorShelf;
  /** Where to begin in a log that exists and was never read: "start". One that appears later is always read whole. */
  readonly from?: "start" | "end";
  /**
   * Takes a batch; synchronous. Store the findings and the cursor in one transaction here. When it throws, the
   * batch comes again later. The lines are views that are valid only until it returns.
   */
  readonly commit: (batch: LineBatch) => void;
  readonly emit: Emit;
  /** Longer lines are cut, at most 512 KiB; default 64 KiB. */
  readonly maxLineBytes?: number;
  /** Further folders that hold generations of a log (logrotate's `olddir`). */
  readonly generationFolders?: (path: string) => readonly string[];
  /** Opens a log that this process may not open, where its folder is open to it. */
  readonly openForUs?: OpenForUs;
  readonly clock?: Clock;
  /** How often logs without events are looked at, in milliseconds; 5,000. The others are looked at six times more rarely. */
  readonly pollEveryMs?: number;
};

const MAX_LINE_BYTES = 512 * 1024;

// Writers write line by line: waiting a moment makes one read and one commit of a burst. After a while of quiet the first
// line is read at once, because somebody may wait to hear of it; whoever goes on writing is read this often.
const COALESCE_MS = 20;

// Where the kernel does not tell of writes. Elsewhere a writer through a mapping makes no event, nor do late lines in a
// generation that was moved to another folder: every log is looked at now and then. And nobody tells that something else was
// mounted over a folder, or that one above it was renamed.
const POLL_MS = 5_000;
const POLLS_A_REARMING = 2;
const REARMINGS_A_SWEEP = 3;

// After a failed commit (a full disk) the same batch is offered again after 1 s, 2 s, 4 s … 30 s.
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;

/** Follows these logs; nothing happens before `poll` or `start`. */
export function followFiles(options: FollowFilesOptions): Follower {
  return new FileFollower(options);
}

class FileFollower implements Follower {
  readonly #options: FollowFilesOptions;
  readonly #around: LogSurroundings;
  /** One for all logs: they are read one after another. */
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  readonly #logs = new Map<string, FollowedLog>();
  readonly #dirty = new Set<FollowedLog>();
  readonly #watch: FolderWatch;
  #live = false;
  #stopping = false;
  #soon: NodeJS.Timeout | undefined;
  /** Looks at what the kernel does not tell of, and the rarer one at everything. */
  #slow: Round | undefined;
  #sweep: Round | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_FIRST_MS;
  /** When logs were last read because something happened, on the monotonic clock. */
  #readAtMs = Number.NEGATIVE_INFINITY;
  /** One reader at a time: the logs share one buffer. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: FollowFilesOptions) {
    this.#options = options;
    this.#around = {
      cursors: options.cursors,
      commit: options.commit,
      emit: options.emit,
      clock: options.clock ?? systemClock,
      maxLineBytes: Math.min(Math.max(1, options.maxLineBytes ?? 64 * 1024), MAX_LINE_BYTES),
      generationFolders: options.generationFolders ?? (() => []),
      openForUs: options.openForUs,
      isFollowed: (path) => this.#logs.has(path),
      stopping: () => this.#stopping,
    };
    this.#watch = new FolderWatch(
      (folder, name) => this.#happened(folder, name),
      () => void this.#inTurn(() => this.#rearm()),
      options.emit,
    );
    for (const path of options.paths) this.add(path);
  }

  add(path: string, from = this.#options.from ?? "start"): void {
    if (this.#logs.has(path)) return;
    const log = new FollowedLog(path, from, this.#chunk, this.#around);
    this.#logs.set(path, log);
    if (!this.#live) return;
    this.#dirty.add(log);
    void this.#inTurn(() => this.#rearm());
    this.#wake(0);
  }

  remove(path: string): void {
    const log = this.#logs.get(path);
    if (log === undefined) return;
    this.#logs.delete(path);
    this.#dirty.delete(log);
    void this.#inTurn(() => log.release());
  }

  async poll(): Promise<void> {
    const failure = await this.#inTurn(async () => {
      let first: CommitError | undefined;
      for (const log of [...this.#logs.values()]) {
        try {
          while (!this.#stopping && this.#logs.has(log.path) && (await log.look()) === "more");
        } catch (error) {
          if (!(error instanceof CommitError)) throw error;
          first ??= error;
        }
        if (!this.#live) await log.release();
      }
      return first;
    });
    if (failure !== undefined) throw failure.cause;
  }

  async start(): Promise<void> {
    if (this.#live) return;
    this.#live = true;
    // Watching first: what is written during the first reading is then noticed.
    await this.#inTurn(() => this.#rearm());
    for (const log of this.#logs.values()) this.#dirty.add(log);
    while (await this.#inTurn(() => this.#readDirty()));
    await this.#inTurn(() => this.#rearm());
    if (!this.#live) return;
    let rearmings = 0;
    const pollMs = this.#options.pollEveryMs ?? POLL_MS;
    this.#sweep = every(
      pollMs * POLLS_A_REARMING,
      () => this.#lookBehind(++rearmings % REARMINGS_A_SWEEP === 0),
      { holds: true },
    );
  }

  /** Sees to the folders, and to the logs in those that the kernel does not tell of, or to all. */
  #lookBehind(isSweep: boolean): void {
    for (const log of this.#logs.values()) if (isSweep || this.#isUnheard(log)) this.#dirty.add(log);
    void this.#inTurn(() => this.#rearm());
    if (this.#dirty.size > 0) this.#wake(0);
  }

  #isUnheard(log: FollowedLog): boolean {
    return !log.folders.every((folder) => this.#watch.hears(folder));
  }

  async stop(): Promise<void> {
    this.#live = false;
    this.#stopping = true;
    clearTimeout(this.#soon);
    clearTimeout(this.#retry);
    this.#slow?.[Symbol.dispose]();
    this.#sweep?.[Symbol.dispose]();
    this.#soon = this.#retry = this.#slow = this.#sweep = undefined;
    this.#dirty.clear();
    await this.#inTurn(async () => {
      this.#watch.close();
      for (const log of this.#logs.values()) await log.release();
      this.#stopping = false;
    });
  }

  #happened(folder: string, name: string | null): void {
    for (const log of this.#logs.values()) {
      if (log.folders.includes(folder) && (name === null || log.concerns(name))) this.#dirty.add(log);
    }
    if (this.#dirty.size === 0) return;
    const nowMs = performance.now();
    const waitMs = this.#readAtMs + COALESCE_MS - nowMs;
    if (waitMs > 0) this.#wake(waitMs);
    else if (this.#mayRead()) {
      this.#readAtMs = nowMs;
      void this.#inTurn(() => this.#readDirty());
    }
  }

  /** Nobody else is about to. While commits fail, the retry timer decides when to read again. */
  #mayRead(): boolean {
    return this.#live && this.#soon === undefined && this.#retry === undefined;
  }

  #wake(afterMs: number): void {
    if (!this.#mayRead()) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      void this.#inTurn(() => this.#readDirty());
    }, afterMs);
  }

  /**
   * One turn for each log where something happened: one that never ends starves neither the others nor us.
   * True when there is more to read now.
   */
  async #readDirty(): Promise<boolean> {
    if (this.#retry !== undefined) return false;
    const round = [...this.#dirty];
    this.#dirty.clear();
    let more = false;
    let failure: CommitError | undefined;
    for (const log of round) {
      if (!this.#live) return false;
      try {
        if ((await log.look()) === "idle") continue;
        this.#dirty.add(log);
        more = true;
      } catch (error) {
        if (!(error instanceof CommitError)) throw error;
        this.#dirty.add(log);
        failure = error;
      }
    }
    this.#readAtMs = performance.now();
    if (failure !== undefined) this.#commitFailed(failure);
    else if (round.length > 0) this.#commitsAgain();
    if (this.#dirty.size > 0) this.#wake(more ? 0 : COALESCE_MS);
    return more && failure === undefined;
  }

  #commitFailed(error: CommitError): void {
    if (!this.#live) return;
    if (this.#retryMs === RETRY_FIRST_MS) {
      this.#options.emit({
        type: "part.failed",
        part: "check",
        why: `lines that were read could not be recorded: ${describeError(error.cause)}`,
        mend: mendOf(error.cause),
        stillRuns: "the same lines are read again as soon as they can be recorded",
      });
    }
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.#inTurn(() => this.#readDirty());
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
  }

  #commitsAgain(): void {
    if (this.#retryMs === RETRY_FIRST_MS) return;
    this.#retryMs = RETRY_FIRST_MS;
    const how = "lines are recorded again, from the first one that was not";
    this.#options.emit({ type: "part.recovered", part: "check", how });
  }

  async #rearm(): Promise<void> {
    if (!this.#live) return;
    await this.#watch.cover([...this.#logs.values()].flatMap(({ folders }) => folders));
    if (!this.#live) return;
    const isPolled = [...this.#logs.values()].some((log) => this.#isUnheard(log));
    if (isPolled) this.#slow ??= every(this.#options.pollEveryMs ?? POLL_MS, () => this.#lookBehind(false));
    else {
      this.#slow?.[Symbol.dispose]();
      this.#slow = undefined;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {}); // The caller of this turn gets the error; the next turn starts clean.
    return result;
  }
}

function mendOf(cause: unknown): string {
  const mend = (cause as { mend?: unknown } | null)?.mend;
  return typeof mend === "string" ? mend : "see the error above";
}
