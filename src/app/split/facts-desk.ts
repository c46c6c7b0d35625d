// Keeps the listener informed of who is protected: it is told when it asks, and from then on whenever that changes. The
// firewall decides some by itself and has to know, so that changes are looked for without anybody asking.
import type { Clock } from "../../core/clock.ts";
import { every } from "../../core/rounds.ts";
import type { HostFacts } from "../../respond/types.ts";

/** How often changes are looked for. A look costs 0.03 ms, and being woken for it ten times that. */
export const FACTS_LOOK_MS = 2_000;
// Whoever logged in a moment ago may be asked to be blocked by a listener that has not heard of it: that is no offence.
const NEWS_TRAVELS_MS = 1_000;

export class FactsDesk {
  readonly #reader: { current(): HostFacts };
  readonly #clock: Clock;
  readonly #tell: (facts: HostFacts) => boolean;
  readonly #looks: Disposable;
  #told: HostFacts | null = null;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param reader whose answer is the same object for as long as nothing changes
   * @param tell false when nobody can be told now
   */
  constructor(reader: { current(): HostFacts }, clock: Clock, tell: (facts: HostFacts) => boolean) {
    this.#reader = reader;
    this.#clock = clock;
    this.#tell = tell;
    this.#looks = every(FACTS_LOOK_MS, () => this.look());
  }

  /** Whether something else was told a moment ago, which may not have been heard yet. */
  get isNews(): boolean {
    return this.#clock.monotonicMs() - this.#toldAtMs < NEWS_TRAVELS_MS;
  }

  /** The answer to a listener's first question. */
  answer(): HostFacts {
    this.#told = this.#reader.current();
    return this.#told;
  }

  /** Tells what has changed. */
  look(): void {
    if (this.#told === null) return;
    const facts = this.#reader.current();
    if (facts === this.#told || !this.#tell(facts)) return;
    this.#told = facts;
    this.#toldAtMs = this.#clock.monotonicMs();
  }

  /** Another listener has come, which will ask first. */
  forget(): void {
    this.#told = null;
  }

  stop(): void {
    this.#looks[Symbol.dispose]();
  }
}
