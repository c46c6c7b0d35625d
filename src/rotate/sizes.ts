// Tells when a log passes its size limit, soon after it does and at little cost: the kernel says which logs are written to
// (inotify(7)), and a log that has just spoken is not listened to until it could have grown by what it lacks. Where the kernel
// says nothing, sizes are asked for in turn.
import { type FSWatcher, statfsSync, statSync, watch } from "node:fs";
import { isSilent } from "../sys/silent-filesystems.ts";
import { bytesOf } from "./names/bytes.ts";
import { directoryOf } from "./names/match.ts";

/** A log that is to be rotated whatever the time once it is this large. */
export type SizeLimit = { readonly log: string; readonly limitBytes: number };

export type SizeWatchOptions = {
  /** Told of each log that is too large, once; and again only when it is still so after `retryMs`, or anew. */
  readonly onTooLarge: (log: string) => void;
  /** How long a log that stays too large (minage, a failing script) is left alone. */
  readonly retryMs?: number;
  /** How often logs without events are looked at. */
  readonly pollMs?: number;
  /** Whether the kernel tells of writes to this path; asked of the file system when left out. */
  readonly hasEvents?: (path: string) => boolean;
};

const RETRY_MS = 600_000;
const POLL_MS = 1_000;
// Looking at the logs without events takes at most this share of the time; with very many it is done less often.
const POLL_SHARE = 100;
// A writer through a mapping makes no event, and an event may be lost: every log is looked at so often anyway.
const SWEEP_MS = 60_000;
// What a user may watch is bounded (8,192 files on small machines), and shared with others; the rest is polled.
const MAX_WATCHES = 2_048;
// A log that was written to is looked at again when, at its present rate, it could have got half-way to its limit.
const SOONEST_MS = 100;
const LATEST_MS = 1_000;

type Watched = {
  readonly log: string;
  limitBytes: number;
  watcher: FSWatcher | null;
  /** Waits until it is worth looking again. */
  timer: NodeJS.Timeout | null;
  sizeBytes: number;
  inode: number;
  lookedAtMs: number;
  /** When it was last told; null when it is not too large. */
  toldAtMs: number | null;
};

/** Watches logs until it is disposed of. Several changes of its list are cheap: what stays is not touched. */
export class SizeWatch {
  readonly #options: Required<SizeWatchOptions>;
  readonly #logs = new Map<string, Watched>();
  readonly #silent = new Map<string, boolean>();
  readonly #sweep: NodeJS.Timeout;
  // Runs only as long as there are logs without events.
  #poll: NodeJS.Timeout | null = null;
  #watchers = 0;
  #nextPollMs = 0;
  #looks = 0;

  constructor(options: SizeWatchOptions) {
    this.#options = { retryMs: RETRY_MS, pollMs: POLL_MS, hasEvents: hasEvents, ...options };
    this.#sweep = setInterval(() => this.#lookAtAll(), SWEEP_MS).unref();
  }

  /** How many logs are watched by events, how many are polled, and how often a size was asked for so far. */
  get counts(): { readonly byEvents: number; readonly polled: number; readonly looks: number } {
    return { byEvents: this.#watchers, polled: this.#logs.size - this.#watchers, looks: this.#looks };
  }

  /** Watches these logs from now on, and no others. */
  watch(limits: readonly SizeLimit[]): void {
    const wanted = new Map(limits.map(({ log, limitBytes }) => [log, Math.max(1, limitBytes)]));
    for (const [log, watched] of this.#logs) if (!wanted.has(log)) this.#forget(watched);
    this.#silent.clear();
    for (const [log, limitBytes] of wanted) {
      const known = this.#logs.get(log);
      if (known !== undefined) known.limitBytes = limitBytes;
      else {
        const fresh = {
          log,
          limitBytes,
          watcher: null,
          timer: null,
          sizeBytes: 0,
          inode: 0,
          lookedAtMs: 0,
          toldAtMs: null,
        };
        this.#logs.set(log, fresh);
      }
      const watched = this.#logs.get(log)!;
      if (watched.watcher === null && watched.timer === null) this.#listen(watched);
      this.#look(watched);
    }
    if (this.#withoutEvents().length > 0) this.#startPolling();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep);
    if (this.#poll !== null) clearInterval(this.#poll);
    for (const watched of this.#logs.values()) this.#forget(watched);
  }

  #forget(watched: Watched): void {
    this.#deafen(watched);
    if (watched.timer !== null) clearTimeout(watched.timer);
    watched.timer = null;
    this.#logs.delete(watched.log);
  }

  #deafen(watched: Watched): void {
    if (watched.watcher === null) return;
    watched.watcher.close();
    watched.watcher = null;
    this.#watchers--;
  }

  // Hears of the next write to a log, where there is one and the kernel tells; otherwise it is polled.
  #listen(watched: Watched): void {
    if (this.#watchers >= MAX_WATCHES || this.#isSilent(watched.log)) return;
    let watcher: FSWatcher;
    try {
      watcher = watch(bytesOf(watched.log), { persistent: false });
    } catch {
      return; // Not there yet, or no watch left: it is looked at in turn.
    }
    this.#watchers++;
    watched.watcher = watcher;
    watcher.on("error", () => {
      this.#deafen(watched);
      this.#startPolling();
    });
    watcher.on("change", () => {
      if (watched.watcher !== watcher) return;
      // However busy its writer is, one event is enough for now.
      this.#deafen(watched);
      const pauseMs = this.#look(watched);
      watched.timer = setTimeout(() => {
        watched.timer = null;
        // Listen before looking: what is written in between is heard.
        this.#listen(watched);
        this.#look(watched);
        if (watched.watcher === null) this.#startPolling();
      }, pauseMs).unref();
    });
  }

  #isSilent(log: string): boolean {
    const directory = directoryOf(log);
    let silent = this.#silent.get(directory);
    if (silent === undefined) {
      silent = !this.#options.hasEvents(directory);
      this.#silent.set(directory, silent);
    }
    return silent;
  }

  #startPolling(): void {
    this.#poll ??= setInterval(() => this.#lookInTurn(), this.#options.pollMs).unref();
  }

  #withoutEvents(): Watched[] {
    return [...this.#logs.values()].filter(({ watcher, timer }) => watcher === null && timer === null);
  }

  #lookInTurn(): void {
    const began = performance.now();
    if (began < this.#nextPollMs) return;
    for (const watched of this.#withoutEvents()) {
      this.#listen(watched);
      this.#look(watched);
    }
    const now = performance.now();
    this.#nextPollMs = now + (now - began) * POLL_SHARE;
    if (this.#withoutEvents().length > 0) return;
    clearInterval(this.#poll!);
    this.#poll = null;
  }

  #lookAtAll(): void {
    for (const watched of this.#logs.values()) this.#look(watched);
  }

  // Asks for the size, tells when it is too large, and answers after how long it is worth asking again.
  #look(watched: Watched): number {
    this.#looks++;
    const now = performance.now();
    const { sizeBytes, inode } = lookAt(watched.log);
    // Another file, or an emptied one: a fast writer may have filled it again before anybody looked.
    if (inode !== watched.inode || sizeBytes < watched.sizeBytes) watched.toldAtMs = null;
    watched.inode = inode;
    const grown = Math.max(0, sizeBytes - watched.sizeBytes);
    const perMs = watched.lookedAtMs === 0 ? 0 : grown / Math.max(1, now - watched.lookedAtMs);
    watched.sizeBytes = sizeBytes;
    watched.lookedAtMs = now;
    if (sizeBytes < watched.limitBytes) {
      watched.toldAtMs = null;
      const halfWayMs = perMs === 0 ? SOONEST_MS : (watched.limitBytes - sizeBytes) / perMs / 2;
      return Math.min(LATEST_MS, Math.max(SOONEST_MS, halfWayMs));
    }
    if (watched.toldAtMs === null || now - watched.toldAtMs >= this.#options.retryMs) {
      watched.toldAtMs = now;
      this.#options.onTooLarge(watched.log);
    }
    return SOONEST_MS;
  }
}

function lookAt(path: string): { sizeBytes: number; inode: number } {
  try {
    const { size, ino } = statSync(bytesOf(path));
    return { sizeBytes: size, inode: ino };
  } catch {
    return { sizeBytes: 0, inode: 0 }; // It went away or was never there: nothing to rotate for its size.
  }
}

function hasEvents(directory: string): boolean {
  try {
    return !isSilent(statfsSync(bytesOf(directory)).type);
  } catch {
    return false; // Not there: it is looked for in turn.
  }
}
