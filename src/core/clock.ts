// Time as an argument. Wall time is for reports and calendars; durations use the monotonic clock, because
// somebody may set the other one.

export interface Clock {
  /** Wall time. */
  now(): Date;
  /** Milliseconds since an arbitrary start, never going back. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};
