// The circuit breaker. Forged packets can bear a million sources; without a cap the guard would shut out the world
// on a stranger's word. Past the cap it watches and alarms.
import type { Clock } from "../core/clock.ts";
import { formatDuration } from "../core/duration.ts";
import type { Emit, EvidenceGrade, Verdict } from "../core/events.ts";
import type { BlockLimits } from "./types.ts";
import type { Voice } from "./voice.ts";

const WINDOW_MS = 60_000;

export class CircuitBreaker {
  readonly #limits: BlockLimits;
  readonly #clock: Clock;
  readonly #voice: Voice;
  readonly #emit: Emit;
  // Forgeable and proven apart, so that forged sources cannot use up what a proven scanner needs. The cap itself
  // bounds both.
  readonly #times: Record<EvidenceGrade, number[]> = { proven: [], spoofable: [] };
  #tripped: { sinceMs: number; refused: number } | undefined;

  constructor(limits: BlockLimits, clock: Clock, voice: Voice, emit: Emit) {
    this.#limits = limits;
    this.#clock = clock;
    this.#voice = voice;
    this.#emit = emit;
  }

  /** Whether it waits for its rest. */
  get isTripped(): boolean {
    return this.#tripped !== undefined;
  }

  noteBlock(grade: EvidenceGrade): void {
    const times = this.#times[grade];
    times.push(this.#clock.monotonicMs());
    if (times.length > Math.max(1, this.#limits.maxPerMinute)) times.shift();
  }

  newInLastMinute(grade: EvidenceGrade): number {
    const nowMs = this.#clock.monotonicMs();
    const times = this.#times[grade];
    while (times.length > 0 && nowMs - times[0]! >= WINDOW_MS) times.shift();
    return times.length;
  }

  /** A verdict that the cap made of what would have been a block. */
  refuse(verdict: Verdict): void {
    if (this.#tripped === undefined) {
      this.#tripped = { sinceMs: this.#clock.monotonicMs(), refused: 0 };
      this.#voice.fail(
        "breaker",
        verdict.because,
        "look at `telltale blocks`; many sources at once may be forged, and none of the later ones is blocked",
      );
    }
    // Past the cap each further verdict says the same, and a flood of them would hurt more than help.
    if (++this.#tripped.refused <= this.#limits.maxPerMinute)
      this.#emit({ type: "verdict.reached", verdict });
  }

  /** Rests once half the cap is free again. */
  tick(inForce: number): void {
    if (this.#tripped === undefined || inForce >= this.#limits.maxInForce) return;
    const busy = Math.max(this.newInLastMinute("spoofable"), this.newInLastMinute("proven"));
    if (busy > this.#limits.maxPerMinute / 2) return;
    const { sinceMs, refused } = this.#tripped;
    this.#tripped = undefined;
    const lasted = formatDuration(this.#clock.monotonicMs() - sinceMs);
    const who = refused === 1 ? "1 scanner was" : `${refused} scanners were`;
    this.#voice.recovered("breaker", `the circuit breaker rests after ${lasted}; ${who} watched only`);
  }
}
