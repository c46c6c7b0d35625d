// Gives ways of blocking that know neither allow list, time nor counters (a route, a file, a command) the manners of a
// full backend: allowed targets are withheld, and nothing counts as done before it was read back.
import { familyOf, formatPrefix, type Prefix } from "../../core/address.ts";
import { describeError } from "../../core/errors.ts";
import { type Backend, type BackendTraits, type ChangeResult, QUIET } from "../backend.ts";
import { prefixesOverlap } from "../guardrails.ts";
import type { HeldBlock } from "../plan.ts";
import type { FirewallChange } from "../types.ts";

/** A simple way of blocking. */
export interface Way {
  readonly name: string;
  describe(): string;
  /** @throws MissingPartError when this machine cannot do it */
  open(): Promise<void>;
  /** Adds and removes, each of which may be there or gone already. Throws, or does a part: `list` tells. */
  change(add: readonly Prefix[], remove: readonly Prefix[]): Promise<void>;
  /** What is blocked, read back from where it counts. */
  list(): Promise<Prefix[]>;
  /** Somebody else has lifted these; only where `list` cannot see it. */
  forget?(targets: readonly Prefix[]): void;
  /** What to do when a change did not happen. */
  readonly mend: string;
}

const MOST_AT_ONCE = 1_000;

export class SimpleBackend implements Backend {
  readonly intact = QUIET.intact;
  readonly subscribe = QUIET.subscribe;
  readonly watch = QUIET.watch;
  readonly arm = QUIET.arm;
  readonly disarm = QUIET.disarm;
  readonly #way: Way;
  #allow: readonly Prefix[] = [];
  // Blocked in principle, let through because allowed; bounded by the cap on blocks in force.
  readonly #withheld = new Map<string, Prefix>();

  constructor(way: Way) {
    this.#way = way;
  }

  get name(): string {
    return this.#way.name;
  }

  async open(): Promise<BackendTraits> {
    await this.#way.open();
    return { what: this.#way.describe(), throttles: false, tripwire: false, endless: true };
  }

  async setAllow(prefixes: readonly Prefix[]): Promise<void> {
    this.#allow = prefixes;
    const held = await this.#way.list();
    const nowAllowed = held.filter((target) => this.#allowed(target));
    const noLonger = [...this.#withheld.values()].filter((target) => !this.#allowed(target));
    if (nowAllowed.length === 0 && noLonger.length === 0) return;
    for (const target of nowAllowed) this.#withheld.set(formatPrefix(target), target);
    for (const target of noLonger) this.#withheld.delete(formatPrefix(target));
    await this.#way.change(noLonger, nowAllowed);
  }

  async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    const results: ChangeResult[] = [];
    for (let at = 0; at < changes.length; at += MOST_AT_ONCE) {
      results.push(...(await this.#applySome(changes.slice(at, at + MOST_AT_ONCE))));
    }
    return results;
  }

  async held(): Promise<HeldBlock[]> {
    return (await this.#way.list()).map((target) => ({ target, leftMs: null, packetsStopped: 0 }));
  }

  async clear(): Promise<void> {
    this.#withheld.clear();
    const held = await this.#way.list();
    if (held.length > 0) await this.#way.change([], held);
  }

  async pardon(targets: readonly Prefix[]): Promise<void> {
    this.#way.forget?.(targets);
  }

  async close(): Promise<void> {}

  async #applySome(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    // The last word on a target is the one that counts.
    const last = new Map<string, FirewallChange>();
    for (const change of changes) last.set(formatPrefix(change.target), change);
    const add: Prefix[] = [];
    const remove: Prefix[] = [];
    for (const [key, change] of last) {
      if (change.do === "lift") {
        this.#withheld.delete(key);
        remove.push(change.target);
      } else if (this.#allowed(change.target)) this.#withheld.set(key, change.target);
      else add.push(change.target);
    }
    let complaint = "the change was accepted, yet reading back does not show it";
    let held: ReadonlySet<string> | undefined;
    try {
      await this.#way.change(add, remove);
    } catch (error) {
      complaint = describeError(error);
    }
    try {
      held = new Set((await this.#way.list()).map(formatPrefix));
    } catch (error) {
      complaint = describeError(error);
    }
    return changes.map((change) => {
      const key = formatPrefix(change.target);
      const final = last.get(key)!;
      const wanted = final.do === "block" && !this.#withheld.has(key);
      const done = held !== undefined && held.has(key) === wanted;
      return { change, why: done ? null : complaint, mend: done ? "" : this.#way.mend, packetsStopped: 0 };
    });
  }

  #allowed(target: Prefix): boolean {
    const family = familyOf(target.base);
    return this.#allow.some((prefix) => familyOf(prefix.base) === family && prefixesOverlap(prefix, target));
  }
}
