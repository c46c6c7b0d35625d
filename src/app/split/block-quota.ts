// How many blocks the warden grants. The listener's circuit breaker is the first to refuse; this is for a listener in a
// stranger's hands, which would shut out the world one address at a time.
import type { Clock } from "../../core/clock.ts";

export type QuotaLimits = {
  /** respond.max_blocks_per_minute */
  readonly perMinute: number;
  /** respond.max_blocks */
  readonly inForce: number;
};

const MINUTE_MS = 60_000;
// The breaker counts proven and forgeable evidence apart, and does not count those whose block is only made longer.
const TIMES_THE_BREAKER = 4;
// The kernel ends a block some seconds after the guard does, and its tripwire makes some by itself.
const TIMES_IN_FORCE = 2;
// Counting takes some hundred milliseconds at 100,000 blocks.
const COUNT_AGAIN_MS = 10_000;

export class BlockQuota {
  readonly #clock: Clock;
  // Of the minute that began then; that twice as many fall into sixty seconds around its end does no harm.
  #minuteAtMs = Number.NEGATIVE_INFINITY;
  #inMinute = 0;
  #startingUntilMs = Number.NEGATIVE_INFINITY;
  // In force are no more than were counted and granted since.
  #atMost = Number.POSITIVE_INFINITY;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  // What was in force when somebody took the firewall apart, until it is counted what of it is left.
  #before: number | null = null;
  // So many of those may be put back until then.
  #owed = 0;
  #owedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A listener has started: for a minute it may put back what its history holds, which can be more than the limits where
   * the administrator blocks by hand. Whoever owns the listener owns that history anyway.
   */
  starting(): void {
    this.#startingUntilMs = this.#clock.monotonicMs() + MINUTE_MS;
  }

  /** The firewall was changed by somebody: as many as are missing may be put back. */
  disturbed(): void {
    if (Number.isFinite(this.#atMost)) this.#before = Math.max(this.#before ?? 0, this.#atMost);
  }

  /** So many are in force. */
  counted(inForce: number): void {
    this.#countedAtMs = this.#clock.monotonicMs();
    this.#atMost = inForce;
  }

  /**
   * Grants as many of the wanted blocks as the limits allow.
   * @param count how many are in force; asked only near the limit or after a disturbance, and not often
   * @returns how many are granted, and why the others are not
   */
  async grant(
    wanted: number,
    limits: QuotaLimits,
    count: () => Promise<number>,
  ): Promise<{ readonly granted: number; readonly why: string }> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#startingUntilMs) {
      this.#atMost += wanted;
      return { granted: wanted, why: "" };
    }
    if (nowMs - this.#minuteAtMs >= MINUTE_MS) {
      this.#minuteAtMs = nowMs;
      this.#inMinute = 0;
    }
    if (nowMs >= this.#owedUntilMs) this.#owed = 0;
    if (this.#before !== null) {
      this.counted(await count());
      this.#owed = Math.max(this.#owed, this.#before - this.#atMost);
      this.#owedUntilMs = nowMs + MINUTE_MS;
      this.#before = null;
    }
    const most = limits.inForce * TIMES_IN_FORCE;
    if (this.#atMost + wanted > most && nowMs - this.#countedAtMs >= COUNT_AGAIN_MS)
      this.counted(await count());
    const perMinute = limits.perMinute * TIMES_THE_BREAKER;
    const rate = Math.max(0, perMinute - this.#inMinute);
    const room = Math.max(0, most - this.#atMost);
    const putBack = Math.min(wanted, this.#owed);
    const fresh = Math.min(wanted - putBack, rate, room);
    this.#owed -= putBack;
    this.#inMinute += fresh;
    this.#atMost += putBack + fresh;
    const granted = putBack + fresh;
    if (granted === wanted) return { granted, why: "" };
    return {
      granted,
      why:
        room < rate
          ? `${most} blocks in force, ${TIMES_IN_FORCE} times what respond.max_blocks allows`
          : `${perMinute} new blocks within a minute, ${TIMES_THE_BREAKER} times what respond.max_blocks_per_minute allows`,
    };
  }
}
