// Notices that the host was asleep. Its monotonic clock stands still meanwhile (CLOCK_MONOTONIC, clock_gettime(2)), and with it
// would every block that is to end; the clock that goes on (CLOCK_BOOTTIME, which uptime shows) tells for how long.
import { uptime } from "node:os";

// The uptime is told in hundredths of a second; nobody sleeps for less than this.
const NOTICED_MS = 1_000;

export class SleepWatch {
  readonly #onSlept: (ms: number) => void;
  readonly #sinceBootMs: () => number;
  readonly #awakeMs: () => number;
  #aheadMs: number;

  /** Both clocks in milliseconds; tests give some of their own. */
  constructor(
    onSlept: (ms: number) => void,
    sinceBootMs: () => number = () => uptime() * 1_000,
    awakeMs: () => number = () => performance.now(),
  ) {
    this.#onSlept = onSlept;
    this.#sinceBootMs = sinceBootMs;
    this.#awakeMs = awakeMs;
    this.#aheadMs = sinceBootMs() - awakeMs();
  }

  /** Tells of a sleep since the last look. */
  look(): void {
    const aheadMs = this.#sinceBootMs() - this.#awakeMs();
    const sleptMs = aheadMs - this.#aheadMs;
    if (sleptMs < NOTICED_MS) return;
    this.#aheadMs = aheadMs;
    this.#onSlept(sleptMs);
  }
}
