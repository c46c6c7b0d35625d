// Time as an argument. Wall time is for reports and calendars; durations use the monotonic clock, because
// somebody may set the other one.

export interface Clock {
  /** Wall time. */
  now(): Date;
  /** Milliseconds since an arbitrary start, never going back. */
  monotonicMs(): number;
}

let sleptMs = 0;

/** This machine's. While it is asleep, its own monotonic clock stands still; who notices says for how long that was. */
export const systemClock: Clock & { sleptFor(ms: number): void } = {
  now: () => new Date(),
  monotonicMs: () => performance.now() + sleptMs,
  sleptFor: (ms) => {
    sleptMs += ms;
  },
};
