// Decides what share of the SYNs to ports in use the kernel hands over: all of them on a quiet host, where each tells who
// visits, and a sample on a busy one, because each wakes this process up.

// A wake-up takes up to 250 microseconds where caches are cold: together a tenth of a percent of a core.
const WANTED_PER_SECOND = 5;
// All of them would take the better part of a percent.
const MOST_PER_SECOND = 30;
// Below this twice as many are handed over, which is not yet too many.
const LEAST_PER_SECOND = 3;
const LEAST_VISITS = 12;
const GREATEST_DIVISOR = 1 << 16;
// So many visits are reason enough to look at once: a busy service would wake us up a thousand times until the next look.
const VISITS_AT_ONCE = 32;
// What comes in a shorter time counts as if it had taken this long: a browser opens a dozen connections in a few milliseconds.
const LEAST_WINDOW_MS = 50;
// Each change writes the filter anew: quickly when it rains, slowly when it stops.
const CALM_MS = 5_000;

export class Sampling {
  /** One SYN in so many, a power of two. */
  oneIn = 1;
  #seen = 0;
  #seenAtMs: number;
  #calmSeen = 0;
  #calmSinceMs: number;

  constructor(nowMs: number) {
    this.#seenAtMs = nowMs;
    this.#calmSinceMs = nowMs;
  }

  /** Whether enough came since the last look. */
  isDue(visits: number): boolean {
    return visits - this.#seen >= VISITS_AT_ONCE;
  }

  /**
   * Looks at how many were handed over; call it a few times a second, and as soon as `isDue`.
   * @param visits all that were handed over so far
   * @returns true when `oneIn` has changed
   */
  adapt(visits: number, nowMs: number): boolean {
    const handedOver = visits - this.#seen;
    const perSecond = (handedOver * 1_000) / Math.max(LEAST_WINDOW_MS, nowMs - this.#seenAtMs);
    this.#seen = visits;
    this.#seenAtMs = nowMs;
    let next = this.oneIn;
    // A handful in a short time is chance.
    if (perSecond > MOST_PER_SECOND && handedOver >= LEAST_VISITS) {
      for (let rate = perSecond; rate > WANTED_PER_SECOND && next < GREATEST_DIVISOR; rate /= 2) next *= 2;
    } else if (nowMs - this.#calmSinceMs >= CALM_MS) {
      const calm = ((visits - this.#calmSeen) * 1_000) / (nowMs - this.#calmSinceMs);
      if (calm < LEAST_PER_SECOND) next = Math.max(1, next >>> 1);
      this.#beginCalm(visits, nowMs);
    }
    if (next === this.oneIn) return false;
    this.oneIn = next;
    this.#beginCalm(visits, nowMs);
    return true;
  }

  #beginCalm(visits: number, nowMs: number): void {
    this.#calmSeen = visits;
    this.#calmSinceMs = nowMs;
  }
}
