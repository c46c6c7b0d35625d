// Decides when to make room: looks at how much is free as often as the disk fills fast, and starts the job that does it. A look
// is one statfs(2) for each file system; only limits that somebody set are looked after.
import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Event, EventBody } from "../core/events.ts";
import { lookAtRooms, type Room } from "../disk/mounts.ts";
import { keepReserve, RESERVE_NAME, reserveDirectories } from "../disk/reserve.ts";
import { filesUnder } from "../disk/walk.ts";
import { limitsAreSet, limitsFor } from "./disk-limits.ts";
import type { RelieveOrder, RelieveResult } from "./jobs/relieve.ts";
import { type RunningJob, startJob } from "./jobs.ts";
import type { Settings } from "./settings.ts";

// At the slowest and at the fastest: a disk that fills in a second is still seen ten times.
const SLOW_LOOK_MS = 1_000;
const FAST_LOOK_MS = 25;
// A look is made well before the limit would be reached at the present pace.
const LOOKS_UNTIL_LIMIT = 8;
// A limit that will be crossed within this time is acted upon already, by what removes nothing.
const AHEAD_MS = 600_000;
// And within this time at the pace of the last look alone: whoever fills a disk that fast is not waited for.
const FAST_AHEAD_MS = 5_000;
// Growth is judged over at least this long: a file copied in a second is no pace.
const PACE_MS = 60_000;
// A job that could not help is not started again at once.
const RETRY_MS = 60_000;
// So much more must be free than the limit wants, for the reserve not to bring it near.
const RESERVE_MARGIN = 1.2;
// Adding up what logs take is a walk through their directories.
const USAGE_MS = 10_000;

export type DiskEars = {
  event(event: Event): void;
  emit(body: EventBody): void;
};

type Pace = { readonly freeBytes: number; readonly atMs: number };

export class DiskKeeper {
  readonly #settings: Settings;
  readonly #ears: DiskEars;
  readonly #clock: Clock;
  readonly #last = new Map<string, Pace>();
  readonly #paced = new Map<string, Pace>();
  #directories: readonly string[] = [];
  #usage: { readonly atMs: number; readonly byDevice: ReadonlyMap<number, number> } | null = null;
  #timer: NodeJS.Timeout | undefined;
  #job: RunningJob<RelieveResult> | null = null;
  #retryMs = 0;
  #reserveMs = 0;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  /** Looks as long as a limit is set. */
  constructor(settings: Settings, ears: DiskEars, clock: Clock) {
    this.#settings = settings;
    this.#ears = ears;
    this.#clock = clock;
    if (settings.config.disk.enabled && limitsAreSet(settings)) this.#next(0);
  }

  /** Logs lie in these directories too. */
  follow(directories: readonly string[]): void {
    this.#directories = directories;
  }

  /** Resolves when no room is being made, or after so long. */
  async atRest(patienceMs: number): Promise<void> {
    if (this.#job === null) return;
    const tired = new AbortController();
    const patience = wait(patienceMs, undefined, { signal: tired.signal }).catch(() => {}); // it was done before
    await Promise.race([this.#job.result.catch(() => {}), patience]); // its failure is told where it was started
    tired.abort();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#job?.stop();
    await this.#looking;
    await this.#job?.result.catch(() => {}); // It was stopped.
  }

  #next(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().then((waitMs) => this.#next(waitMs));
    }, ms);
  }

  // Returns when to look again.
  async #look(): Promise<number> {
    // The job looks for itself.
    if (this.#job !== null) return SLOW_LOOK_MS;
    const rooms = await lookAtRooms([...this.#settings.config.rotate.roots, ...this.#directories]);
    const now = this.#clock.monotonicMs();
    await this.#addUp(now);
    const ahead: Record<string, number> = {};
    let due = false;
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const room of rooms) {
      const { left, pace } = this.#judge(room, now);
      const fast = this.#fastPace(room, now);
      ahead[room.mount] = Math.max(0, pace * AHEAD_MS, fast * FAST_AHEAD_MS);
      if (left < ahead[room.mount]!) due = true;
      if (fast > 0) soonestMs = Math.min(soonestMs, Math.max(0, left) / fast);
      this.#last.set(room.mount, { freeBytes: room.freeBytes, atMs: now });
    }
    if (!due) this.#keepReserves(rooms, now);
    else if (now >= this.#retryMs) this.#start(ahead);
    return Math.min(SLOW_LOOK_MS, Math.max(FAST_LOOK_MS, soonestMs / LOOKS_UNTIL_LIMIT));
  }

  // Only where it leaves well more free than the limit wants.
  #keepReserves(rooms: readonly Room[], now: number): void {
    const { roots } = this.#settings.config.rotate;
    const { reserve } = this.#settings.config.disk;
    if (reserve === 0 || now < this.#reserveMs) return;
    this.#reserveMs = now + RETRY_MS;
    for (const { mount, sizeBytes, freeBytes } of rooms) {
      const { minFreeBytes } = limitsFor(this.#settings, sizeBytes);
      const [directory] = reserveDirectories(roots, mount);
      if (directory !== undefined && freeBytes > 2 * reserve + RESERVE_MARGIN * minFreeBytes)
        keepReserve(directory, reserve);
    }
  }

  // Bytes until the nearer limit, and the pace (bytes a millisecond) at which it comes nearer.
  #judge(room: Room, now: number): { left: number; pace: number } {
    const { minFreeBytes, maxLogBytes } = limitsFor(this.#settings, room.sizeBytes);
    const free = minFreeBytes > 0 ? room.freeBytes - minFreeBytes : Number.POSITIVE_INFINITY;
    const used = this.#usage?.byDevice.get(room.dev) ?? 0;
    const logs = maxLogBytes > 0 ? maxLogBytes - used : Number.POSITIVE_INFINITY;
    const before = this.#paced.get(room.mount);
    let pace = 0;
    if (before === undefined) this.#paced.set(room.mount, { freeBytes: room.freeBytes, atMs: now });
    else if (now - before.atMs >= PACE_MS) {
      pace = (before.freeBytes - room.freeBytes) / (now - before.atMs);
      this.#paced.set(room.mount, { freeBytes: room.freeBytes, atMs: now });
    }
    return { left: Math.min(free, logs), pace };
  }

  #fastPace(room: Room, now: number): number {
    const last = this.#last.get(room.mount);
    return last === undefined || now <= last.atMs ? 0 : (last.freeBytes - room.freeBytes) / (now - last.atMs);
  }

  async #addUp(now: number): Promise<void> {
    if (this.#settings.config.disk.max_log_bytes === 0) return;
    if (this.#usage !== null && now - this.#usage.atMs < USAGE_MS) return;
    const byDevice = new Map<number, number>();
    const directories = [...this.#settings.config.rotate.roots, ...this.#directories];
    const counted = new Set<string>();
    for (const { path, stat } of (await filesUnder(directories)).files) {
      if (counted.has(path) || /\.journal~?$/.test(path) || path.endsWith(RESERVE_NAME)) continue;
      counted.add(path);
      byDevice.set(stat.dev, (byDevice.get(stat.dev) ?? 0) + stat.blocks * 512);
    }
    this.#usage = { atMs: now, byDevice };
  }

  #start(ahead: Readonly<Record<string, number>>): void {
    const order: RelieveOrder = { settings: this.#settings, ahead };
    const job = startJob<RelieveResult>("relieve", order, this.#ears.event);
    this.#job = job;
    void job.result
      .then(({ alarms }) => alarms === 0)
      .catch((error: unknown) => {
        if (this.#stopped) return;
        const why = `making room failed: ${describeError(error)}`;
        const mend = "see telltale disk --plan";
        this.#ears.emit({
          type: "part.failed",
          part: "disk",
          why,
          mend,
          stillRuns: "everything else; disks may fill",
        });
      })
      .then((helped) => {
        this.#job = null;
        this.#usage = null;
        this.#last.clear();
        this.#paced.clear();
        if (helped !== true) this.#retryMs = this.#clock.monotonicMs() + RETRY_MS;
      });
  }
}
