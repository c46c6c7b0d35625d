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
  // Blocks from before may be put back until then, all at once.
  #restoreUntilMs = Number.NEGATIVE_INFINITY;
  #restored = 0;
  // In force are no more than were counted and granted since.
  #atMost = Number.POSITIVE_INFINITY;
  #countedAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A listener has started, or somebody took the firewall apart: what was in force may be put back within a minute. */
  mayRestore(): void {
    this.#restoreUntilMs = this.#clock.monotonicMs() + MINUTE_MS;
    this.#restored = 0;
  }

  /** So many are in force. */
  counted(inForce: number): void {
    this.#countedAtMs = this.#clock.monotonicMs();
    this.#atMost = inForce;
  }

  /**
   * Grants as many of the wanted blocks as the limits allow.
   * @param count how many are in force; asked only near the limit, and not often
   * @returns how many are granted, and why the others are not
   */
  async grant(
    wanted: number,
    limits: QuotaLimits,
    count: () => Promise<number>,
  ): Promise<{ readonly granted: number; readonly why: string }> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#minuteAtMs >= MINUTE_MS) {
      this.#minuteAtMs = nowMs;
      this.#inMinute = 0;
    }
    const perMinute = limits.perMinute * TIMES_THE_BREAKER;
    const most = limits.inForce * TIMES_IN_FORCE;
    const restore = nowMs < this.#restoreUntilMs ? Math.max(0, limits.inForce - this.#restored) : 0;
    const rate = Math.max(0, perMinute - this.#inMinute) + restore;
    if (this.#atMost + wanted > most && nowMs - this.#countedAtMs >= COUNT_AGAIN_MS)
      this.counted(await count());
    // What is put back counts once, and may be in force already.
    const room = Math.max(restore, most - this.#atMost, 0);
    const granted = Math.min(wanted, rate, room);
    const early = Math.min(granted, restore);
    this.#restored += early;
    this.#inMinute += granted - early;
    this.#atMost += granted;
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
