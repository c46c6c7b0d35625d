// How this room complains. The same trouble at every packet is one message a minute, with a count: a guard in
// distress must not fill the disk it guards.
import type { Clock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";

/** What can go wrong; a closed list, so that what is remembered of each stays small. */
export type Trouble =
  | "breaker"
  | "history"
  | "firewall"
  | "allow"
  | "lift"
  | "table"
  | "tripwire"
  | "provisional";

const AGAIN_AFTER_MS = 60_000;
const STILL_RUNS = "detection, reports and the blocks in force";

export class Voice {
  readonly #emit: Emit;
  readonly #clock: Clock;
  readonly #said = new Map<Trouble, { atMs: number; kept: number }>();

  constructor(emit: Emit, clock: Clock) {
    this.#emit = emit;
    this.#clock = clock;
  }

  /** Says that something is wrong, unless the same was said within a minute. */
  fail(trouble: Trouble, why: string, mend: string): void {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#said.get(trouble);
    if (before !== undefined && nowMs - before.atMs < AGAIN_AFTER_MS) {
      before.kept++;
      return;
    }
    const more =
      before === undefined || before.kept === 0
        ? ""
        : ` (and ${before.kept} times more since the last message)`;
    this.#said.set(trouble, { atMs: nowMs, kept: 0 });
    this.#emit({ type: "part.failed", part: "respond", why: why + more, mend, stillRuns: STILL_RUNS });
  }

  recovered(trouble: Trouble, how: string): void {
    if (this.#said.get(trouble)?.kept === 0) this.#emit({ type: "part.recovered", part: "respond", how });
  }
}
