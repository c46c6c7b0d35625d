// What every way of blocking must be able to do. `backend.contract.ts` holds each of them to it in real network
// namespaces. Arguments, answers and events are plain JSON values, so that a backend may live in another process.
import type { Prefix } from "../core/address.ts";
import type { Touch } from "./backends/tripwire-log.ts";
import type { TripwireOptions } from "./backends/tripwire-rules.ts";
import type { AskedBlock } from "./packets.ts";
import type { HeldBlock } from "./plan.ts";
import type { FirewallChange } from "./types.ts";

/** What became of one change. Accepting is not succeeding: `why` is null only after the firewall has confirmed it. */
export type ChangeResult = {
  readonly change: FirewallChange;
  /** Why it did not happen, in the firewall's words; null when it did. */
  readonly why: string | null;
  readonly mend: string;
  /** Packets a lifted block had stopped, where the backend counts. */
  readonly packetsStopped: number;
  /** Who the target turned out to be, when a block did not happen because it is protected by now. */
  readonly guardrail?: string;
};

/** What a backend says of itself once it is open. */
export type BackendTraits = {
  /** For the status block: `table inet telltale, through libnftables`. */
  readonly what: string;
  /** Can let a source through at a low rate instead of shutting it out. */
  readonly throttles: boolean;
  /** Can let the kernel make the first decision. */
  readonly tripwire: boolean;
  /** A block lasts until somebody lifts it, also when its time ran out while no guard was there. */
  readonly endless?: true;
};

/** What a backend tells unasked. */
export type BackendEvent =
  /** Somebody took apart what carries the blocks, or may have: look with `intact`. */
  | { readonly on: "disturbed" }
  /** telltale itself is about to lift everything, from another process: nothing is to be put back. */
  | { readonly on: "lifted-by-order" }
  /** The kernel's tripwire has blocked a source. */
  | { readonly on: "touch"; readonly touch: Touch }
  /** Blocks of the kernel's tripwire may go untold from now on. */
  | { readonly on: "deaf"; readonly why: string };

/** The calls of a backend that reach the firewall: the closed list that a backend in another process answers. */
export const BACKEND_CALLS = [
  "open",
  "setAllow",
  "apply",
  "held",
  "packets",
  "intact",
  "watch",
  "arm",
  "disarm",
  "pardon",
  "clear",
  "close",
] as const satisfies readonly (keyof Backend)[];

export interface Backend {
  /** `nftables`, `route`, `record`, … as the configuration names it. */
  readonly name: string;
  /**
   * Makes everything ready; blocks that are already in force stay. May be called again, to make anew what is gone.
   * @throws MissingPartError when this machine cannot do it
   */
  open(): Promise<BackendTraits>;
  /** Who is let through whatever else is said; replaces what was set before. */
  setAllow(prefixes: readonly Prefix[]): Promise<void>;
  /** Does all changes, in order, and says of each what became of it. Doing one twice is no failure. Never throws. */
  apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]>;
  /**
   * Has the source of this block shut out within this very call, for a minute at most, where that is possible and the way to
   * the firewall is long; the change itself follows by `apply`. Never throws.
   */
  early?(change: FirewallChange): void;
  /**
   * The blocks in force, read back from the firewall, with the packets each has stopped where the backend counts.
   * @param covering who asks needs only the blocks that cover this prefix; there may be others in the answer
   */
  held(covering?: Prefix): Promise<HeldBlock[]>;
  /**
   * How many packets each of these blocks has stopped until now; 0 for one that is not held. Left out where the firewall has an
   * answer only for all of them, `held`.
   */
  packets?(blocks: readonly AskedBlock[]): Promise<readonly number[]>;
  /** Is what carries the blocks still whole? Blocks themselves may be missing: somebody lifted them by hand. */
  intact(): Promise<boolean>;
  /**
   * Calls the listener with every event until the returned handle is disposed. Tells of disturbances only after
   * `watch`, of touches only while armed.
   */
  subscribe(listener: (event: BackendEvent) => void): Disposable;
  /**
   * Begins to tell of disturbances; false when this backend cannot, and somebody has to look now and then.
   * @throws SystemCallError when this machine does not tell
   */
  watch(): Promise<boolean>;
  /**
   * Lets the kernel make the first decision by itself, where the traits say that it can.
   * @throws when this kernel cannot; blocks then work as before
   */
  arm(options: TripwireOptions): Promise<void>;
  disarm(): Promise<void>;
  /**
   * Lets somebody else hear the touches, in a process that needs no right for it: from then on this backend tells none.
   * @returns a descriptor for `hearHandedTouches`, which the caller owns; null when there are none to hear, or somebody has it already
   */
  handTouches?(): number | null;
  /**
   * Somebody else has let these in: what is remembered against them, or counted by the kernel, is forgotten; they start anew.
   * Never throws.
   */
  pardon(targets: readonly Prefix[]): Promise<void>;
  /** Removes every block and everything else this backend has put on the host. */
  clear(): Promise<void>;
  /** Lets go of handles; blocks stay in force. */
  close(): Promise<void>;
}

/** The listeners of a backend. */
export class BackendEars {
  readonly #listeners = new Set<(event: BackendEvent) => void>();

  subscribe(listener: (event: BackendEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  tell(event: BackendEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** For a backend that has nothing to tell and whose kernel decides nothing: what it answers all the same. */
export const QUIET = {
  intact: async () => true,
  subscribe: () => ({ [Symbol.dispose]: () => {} }),
  watch: async () => false,
  arm: async () => {},
  disarm: async () => {},
  pardon: async () => {},
} satisfies Partial<Backend>;
