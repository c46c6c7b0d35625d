// Repeats a piece of work at round times of the wall clock (hourly work at the full hour), never two at once.
import type { Clock } from "../core/clock.ts";

// setTimeout's longest wait; longer ones are slept in stretches, which also notices a clock that was set.
const LONGEST_SLEEP_MS = 60_000;

export type Repetition = {
  /** When the next run is due. */
  nextAt(): Date;
  /** No further run begins; resolves when a running one has ended. */
  stop(): Promise<void>;
};

/**
 * Calls `run` at every multiple of `everyMs` of UTC wall time; while a run lasts, the times that pass are left out.
 * @param run must not reject: whatever fails in it is its own to tell
 */
export function repeat(everyMs: number, clock: Clock, run: () => Promise<void>): Repetition {
  const due = (): number => (Math.floor(clock.now().getTime() / everyMs) + 1) * everyMs;
  let next = due();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;

  const sleep = (): void => {
    if (stopped) return;
    const now = clock.now().getTime();
    // A clock set back far would otherwise stretch the wait by as much.
    if (next - now > everyMs) next = due();
    timer = setTimeout(wake, Math.min(LONGEST_SLEEP_MS, Math.max(0, next - now)));
  };
  const wake = (): void => {
    if (clock.now().getTime() < next) {
      sleep();
      return;
    }
    running = run().then(() => {
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
