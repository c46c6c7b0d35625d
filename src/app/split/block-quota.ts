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
// After a reboot the firewall is empty, and only the listener's history says what was in it. Whoever blocks whole countries by
// hand on a small host may have more there than the limits allow.
const LEAST_RESTORED = 10_000;
// Who ends when is known to a span of ten minutes, for a day; what ends within its span is not missed.
const SPAN_MS = 600_000;
const LONG_MS = 86_400_000;
const FAR = Number.POSITIVE_INFINITY;

/** So many new blocks a minute are granted at the very most. */
export function hardestRate(perMinute: number): number {
  return TIMES_THE_BREAKER * perMinute;
}

export class BlockQuota {
  readonly #clock: Clock;
  // Of the minute that began then; that twice as many fall into sixty seconds around its end does no harm.
  #minuteAtMs = Number.NEGATIVE_INFINITY;
  #inMinute = 0;
  // In force are no more than were counted and granted since; what ends meanwhile is noticed by the next count.
  #atMost = Number.POSITIVE_INFINITY;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  // The same by when they end, in spans, so that nobody makes short blocks and claims later that they were lost.
  #ends = new Map<number, number>();
  #lifted = 0;
  // Somebody took the firewall apart, and it is not counted yet what is left.
  #isDisturbed = false;
  // So many of what was missing then may be put back until then.
  #owed = 0;
  #owedUntilMs = Number.NEGATIVE_INFINITY;
  // So many may be put back after the start, all listeners together, until then; null before the first block.
  #restorable: number | null = null;
  #restoringUntilMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Everything runs for the first time: what the history holds is back, or will be within a minute. A listener that is started
   * again finds its blocks in the firewall, and gets nothing for having ended.
   */
  running(): void {
    const inAMinuteMs = this.#clock.monotonicMs() + MINUTE_MS;
    this.#restoringUntilMs = Math.min(this.#restoringUntilMs, inAMinuteMs);
  }

  /** The firewall was changed by somebody, or nobody looks any more: as many as will be missing may be put back. */
  disturbed(): void {
    this.#isDisturbed = true;
  }

  /** So many were lifted by whoever asks for blocks: those are not lost. */
  lifted(count: number): void {
    this.#lifted += count;
  }

  /** Everybody was let in by order: nothing of that is to be put back. */
  cleared(): void {
    this.counted([]);
    this.#owed = 0;
  }

  /** These are in force, each for so long, milliseconds; null for ever. */
  counted(leftMs: readonly (number | null)[]): void {
    const nowMs = this.#clock.monotonicMs();
    const missing = this.#lasting() - leftMs.length;
    if (missing > this.#owed) {
      this.#owed = missing;
      this.#owedUntilMs = nowMs + MINUTE_MS;
    }
    this.#isDisturbed = false;
    this.#countedAtMs = nowMs;
    this.#atMost = leftMs.length;
    this.#lifted = 0;
    this.#ends.clear();
    this.#note(leftMs);
  }

  /**
   * Grants as many of the wanted blocks as the limits allow: the first ones.
   * @param wanted how long each is to last, milliseconds
   * @param count how long those that are in force last; asked at first, near the limit and after a disturbance, and not often
   * @returns how many are granted, and why the others are not
   */
  async grant(
    wanted: readonly number[],
    limits: QuotaLimits,
    count: () => Promise<readonly (number | null)[]>,
  ): Promise<{ readonly granted: number; readonly why: string }> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#minuteAtMs >= MINUTE_MS) {
      this.#minuteAtMs = nowMs;
      this.#inMinute = 0;
    }
    if (nowMs >= this.#owedUntilMs) this.#owed = 0;
    if (this.#isDisturbed) this.counted(await count());
    const most = limits.inForce * TIMES_IN_FORCE;
    if (this.#restorable === null) {
      if (!Number.isFinite(this.#atMost)) this.counted(await count());
      this.#restorable = Math.max(0, Math.max(most, LEAST_RESTORED) - this.#atMost);
      this.running();
    }
    if (nowMs >= this.#restoringUntilMs) this.#restorable = 0;
    if (this.#atMost + wanted.length > most && nowMs - this.#countedAtMs >= COUNT_AGAIN_MS)
      this.counted(await count());
    const perMinute = hardestRate(limits.perMinute);
    const rate = Math.max(0, perMinute - this.#inMinute);
    const restored = Math.min(wanted.length, this.#restorable);
    const owed = Math.min(wanted.length - restored, this.#owed);
    const putBack = restored + owed;
    const room = Math.max(0, most - this.#atMost - putBack);
    const fresh = Math.min(wanted.length - putBack, rate, room);
    this.#restorable -= restored;
    this.#owed -= owed;
    this.#inMinute += fresh;
    const granted = putBack + fresh;
    this.#atMost += granted;
    this.#note(granted === wanted.length ? wanted : wanted.slice(0, granted));
    if (granted === wanted.length) return { granted, why: "" };
    return {
      granted,
      why:
        room < rate
          ? `${most} blocks in force, ${TIMES_IN_FORCE} times what respond.max_blocks allows`
          : `${perMinute} new blocks within a minute, ${TIMES_THE_BREAKER} times what respond.max_blocks_per_minute allows`,
    };
  }

  #note(leftMs: readonly (number | null)[]): void {
    const nowMs = this.#clock.monotonicMs();
    for (const each of leftMs) {
      const end = each === null || each >= LONG_MS ? FAR : Math.floor((nowMs + each) / SPAN_MS);
      this.#ends.set(end, (this.#ends.get(end) ?? 0) + 1);
    }
  }

  // How many cannot have ended by themselves yet, of those that nobody has lifted.
  #lasting(): number {
    const span = Math.floor(this.#clock.monotonicMs() / SPAN_MS);
    let sum = 0;
    for (const [end, count] of this.#ends) {
      if (end > span) sum += count;
      else {
        // An honest listener lifts each at its end.
        this.#lifted = Math.max(0, this.#lifted - count);
        this.#ends.delete(end);
      }
    }
    return Math.max(0, Math.min(sum, this.#atMost) - this.#lifted);
  }
}
