// Writes blocks down and does nothing else: for observing, for a host whose firewall is somebody else's, for tests.
import { formatPrefix, type Prefix } from "../../core/address.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import { type Backend, type BackendTraits, type ChangeResult, QUIET } from "../backend.ts";
import type { HeldBlock } from "../plan.ts";
import type { FirewallChange } from "../types.ts";

export class RecordBackend implements Backend {
  readonly name = "record";
  readonly intact = QUIET.intact;
  readonly subscribe = QUIET.subscribe;
  readonly watch = QUIET.watch;
  readonly arm = QUIET.arm;
  readonly disarm = QUIET.disarm;
  readonly pardon = QUIET.pardon;
  readonly #clock: Clock;
  readonly #held = new Map<string, { target: Prefix; endMs: number; throttled: boolean }>();
  #allow: readonly Prefix[] = [];

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  get allow(): readonly Prefix[] {
    return this.#allow;
  }

  async open(): Promise<BackendTraits> {
    return { what: "written down only, nothing is blocked", throttles: true, tripwire: false };
  }

  async setAllow(prefixes: readonly Prefix[]): Promise<void> {
    this.#allow = prefixes;
  }

  async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    for (const change of changes) {
      const key = formatPrefix(change.target);
      if (change.do === "lift") this.#held.delete(key);
      else {
        const endMs = this.#clock.monotonicMs() + change.forMs;
        this.#held.set(key, { target: change.target, endMs, throttled: change.throttled === true });
      }
    }
    return changes.map((change) => ({ change, why: null, mend: "", packetsStopped: 0 }));
  }

  async held(): Promise<HeldBlock[]> {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { endMs }] of this.#held) if (endMs <= nowMs) this.#held.delete(key);
    return [...this.#held.values()].map(({ target, endMs, throttled }) => ({
      target,
      leftMs: endMs - nowMs,
      packetsStopped: 0,
      ...(throttled && { throttled }),
    }));
  }

  async clear(): Promise<void> {
    this.#held.clear();
  }

  async close(): Promise<void> {}
}
