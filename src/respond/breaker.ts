// The circuit breaker's memory: how many blocks were new in the last minute. Forged packets can bear a million
// sources; without a cap the guard would shut out the world on a stranger's word.
import type { EvidenceGrade } from "../core/events.ts";

const WINDOW_MS = 60_000;

/** Counts new blocks of the last minute, forgeable and proven ones apart, so that forged sources cannot use up what a proven scanner needs. */
export class BreakerWindow {
  readonly #keep: number;
  readonly #times: Record<EvidenceGrade, number[]> = { proven: [], spoofable: [] };

  /** @param keep how many to remember of each grade: the cap itself is enough */
  constructor(keep: number) {
    this.#keep = Math.max(1, keep);
  }

  note(grade: EvidenceGrade, nowMs: number): void {
    const times = this.#times[grade];
    times.push(nowMs);
    if (times.length > this.#keep) times.shift();
  }

  inLastMinute(grade: EvidenceGrade, nowMs: number): number {
    const times = this.#times[grade];
    while (times.length > 0 && nowMs - times[0]! >= WINDOW_MS) times.shift();
    return times.length;
  }
}
