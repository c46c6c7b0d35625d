// Decides when a log suddenly grows far beyond its habit. Pure: sizes at moments arrive, what is told leaves; what is remembered
// of each log is a ring of rates, and of all logs at most so many.
import { grownBytes } from "../growth/decide.ts";
import type { LogSample } from "../types.ts";

// Ten times the habit, as an administrator would say "suddenly".
const TIMES = 10;
// A log that goes from one line a minute to ten is no danger to a disk.
const LEAST_BYTES = 64 * 1024;
// A habit is known after so many looks, and forgotten after so many: an hour, at a look a minute.
const LEAST_LOOKS = 5;
const MAX_LOOKS = 60;
// The habit is nearly the fastest known: what happens once in ten looks (a job every ten minutes) belongs to it.
const HABIT_QUANTILE = 0.9;
// A log that never grew has a habit all the same; without this floor a first line would be a surge.
const LEAST_HABIT_BYTES_PER_S = 10;
// Told once, and again when it still is so after this long.
const SILENCE_MS = 6 * 3_600_000;
const MAX_LOGS = 2_000;

export type Surge = {
  readonly path: string;
  readonly fromBytes: number;
  readonly bytesPerDay: number;
  readonly usualBytesPerDay: number;
};

type Memory = { last: LogSample; lastMs: number; rates: number[]; toldMs: number | null };

/** The habits of logs. */
export class Habits {
  readonly #logs = new Map<string, Memory>();

  /**
   * Takes in the sizes at one moment and returns the logs that surge.
   * @param nowMs monotonic milliseconds
   */
  look(logs: readonly LogSample[], nowMs: number): Surge[] {
    const surges: Surge[] = [];
    for (const log of logs) {
      const memory = this.#logs.get(log.path);
      if (memory === undefined) {
        this.#remember(log, nowMs);
        continue;
      }
      const seconds = (nowMs - memory.lastMs) / 1_000;
      if (seconds <= 0) continue;
      const grown = grownBytes(memory.last, log);
      const rate = grown / seconds;
      const habit = habitOf(memory.rates);
      const quiet = memory.toldMs !== null && nowMs - memory.toldMs < SILENCE_MS;
      const isSurge = habit !== null && grown >= LEAST_BYTES && rate >= TIMES * habit;
      if (isSurge && !quiet) {
        memory.toldMs = nowMs;
        const fromBytes = log.sizeBytes - grown;
        surges.push({
          path: log.path,
          fromBytes,
          bytesPerDay: rate * 86_400,
          usualBytesPerDay: habit * 86_400,
        });
      }
      // What surges is no habit yet; it becomes one as it lasts, because the ring is short.
      memory.rates.push(rate);
      if (memory.rates.length > MAX_LOOKS) memory.rates.shift();
      memory.last = log;
      memory.lastMs = nowMs;
    }
    return surges;
  }

  #remember(log: LogSample, nowMs: number): void {
    // The one looked at longest ago makes room: it is gone, or the host has more logs than are watched.
    if (this.#logs.size >= MAX_LOGS) this.#logs.delete(this.#logs.keys().next().value!);
    this.#logs.set(log.path, { last: log, lastMs: nowMs, rates: [], toldMs: null });
  }
}

function habitOf(rates: readonly number[]): number | null {
  if (rates.length < LEAST_LOOKS) return null;
  const sorted = [...rates].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.floor(HABIT_QUANTILE * (sorted.length - 1)));
  return Math.max(LEAST_HABIT_BYTES_PER_S, sorted[at]!);
}
