// Repeats a piece of work on its schedule, never two at once. Wall time decides, since schedules are the calendar's; so a
// clock that is set and a host that slept are noticed within a minute, and what was missed is made up for once.
import { closeSync, constants, futimesSync, openSync, statSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { untilRound } from "../core/rounds.ts";
import { nextRun, type Schedule } from "../core/schedule.ts";
import type { Store } from "../store/store.ts";
import { keepMark } from "./marks.ts";

// setTimeout counts no time that the host sleeps, and knows nothing of a clock that was set: looks are this close, and those of
// all schedules come together.
const LONGEST_SLEEP_MS = 60_000;
// A clock that goes back by less is being corrected: what was done is not done again. More, and it was wrong before.
const CORRECTION_MS = 3_600_000;

export type Repetition = {
  /** When the next run is due. */
  nextAt(): Date;
  /** No further run begins; resolves when a running one has ended. */
  stop(): Promise<void>;
};

/** Knows of runs before this process; without it, the first run is the next that the schedule names. */
export type RunMemory = { readonly last: Date | null; remember(at: Date): void };

export type RepeatOptions = {
  readonly memory?: RunMemory;
  /** This host's delay behind hourly, daily, weekly and monthly work. */
  readonly jitterMs?: number;
  /** IANA name; the host's own when absent. */
  readonly timeZone?: string;
};

/**
 * Calls `run` whenever the schedule (or the number of milliseconds) says; while a run lasts, the times that pass are
 * left out. With a memory, a run that fell due while nothing ran is made up for, once.
 * @param run must not reject: whatever fails in it is its own to tell
 */
export function repeat(
  when: number | Schedule,
  clock: Clock,
  run: () => Promise<void>,
  { memory, jitterMs = 0, timeZone }: RepeatOptions = {},
): Repetition {
  const schedule: Schedule = typeof when === "number" ? { text: `${when}ms`, everyMs: when } : when;
  const place = { jitterMs, ...(timeZone !== undefined && { timeZone }) };
  const after = (ms: number): number => nextRun(schedule, new Date(ms), place).getTime();
  let servedMs = Number.NEGATIVE_INFINITY;

  const due = (): number => {
    const now = clock.now().getTime();
    const usual = after(now);
    const gapMs = after(usual) - usual;
    return servedMs - now > Math.min(gapMs, CORRECTION_MS) ? usual : after(Math.max(now, servedMs));
  };
  const firstDue = (): number => {
    const now = clock.now().getTime();
    const last = memory?.last?.getTime() ?? Number.NaN;
    // A last run in the future is that of a clock that was wrong.
    if (Number.isNaN(last) || last > now) return due();
    return after(last) <= now ? now : after(last);
  };

  let seenMs = clock.now().getTime();
  let next = firstDue();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;

  const sleep = (): void => {
    if (stopped) return;
    const now = clock.now().getTime();
    // A clock set back would otherwise stretch the wait by as much.
    if (now < seenMs) next = due();
    seenMs = now;
    timer = setTimeout(wake, Math.min(untilRound(LONGEST_SLEEP_MS), Math.max(0, next - now)));
  };
  const wake = (): void => {
    const now = clock.now();
    if (now.getTime() < next) {
      sleep();
      return;
    }
    servedMs = next;
    running = run().then(() => {
      memory?.remember(now);
      next = due();
      sleep();
    });
  };
  sleep();
  return {
    nextAt: () => new Date(next),
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** The runs of one piece of work, remembered in the store. */
export function runsOf(work: string, store: Store): RunMemory {
  const name = `schedule.${work}`;
  const at = Date.parse(store.marks.get(name) ?? "");
  return {
    last: Number.isNaN(at) ? null : new Date(at),
    remember: (when) => keepMark(store, name, when.toISOString()),
  };
}

/** The runs of one piece of work, remembered in a file of its own, for a process without a store. */
export function runsInFile(path: string): RunMemory {
  const { O_CREAT, O_NOFOLLOW, O_WRONLY, O_NONBLOCK } = constants;
  let last: Date | null = null;
  try {
    last = statSync(path).mtime;
  } catch {
    // Nothing ran yet, or nobody may look: the schedule begins now.
  }
  return {
    last,
    remember: (at) => {
      try {
        const fd = openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o640);
        futimesSync(fd, at, at);
        closeSync(fd);
      } catch {
        // A place that cannot be written costs only this memory: a run missed by a stop is not made up for.
      }
    },
  };
}

/** A delay from 0 to `longestMs`, always the same on one host. */
export function jitterOf(host: string, longestMs: number): number {
  // FNV-1a, and the last step of MurmurHash3, which sets web1 and web2 far apart: to load node:crypto for it takes each command
  // 15 ms (npm run bench -- guard --only commands).
  let sum = 0x811c9dc5;
  for (const byte of Buffer.from(host)) sum = Math.imul(sum ^ byte, 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return ((sum ^ (sum >>> 16)) >>> 0) % (longestMs + 1);
}
