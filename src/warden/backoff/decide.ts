// How long to wait before a listener is started again: soon after the first end, later when it ends again and again.

const FIRST_MS = 1_000;
const LAST_MS = 60_000;
// A listener that ran this long had started well; whatever ended it is a new story.
const GOOD_MS = 60_000;

/**
 * Milliseconds to wait.
 * @param lastWaitMs what was waited before the start that has now ended; 0 for the first one
 * @param ranMs how long it ran
 */
export function waitBeforeStart(lastWaitMs: number, ranMs: number): number {
  if (ranMs >= GOOD_MS || lastWaitMs <= 0) return FIRST_MS;
  return Math.min(lastWaitMs * 2, LAST_MS);
}
