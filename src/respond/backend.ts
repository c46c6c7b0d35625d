// What every way of blocking must be able to do. `backend.contract.ts` holds each of them to it in real network
// namespaces.
import type { Prefix } from "../core/address.ts";
import type { Touch } from "./backends/tripwire-log.ts";
import type { TripwireOptions } from "./backends/tripwire-rules.ts";
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
};

export interface Backend {
  /** `nftables`, `route`, `record`, … */
  readonly name: string;
  /** For the status block: `table inet telltale, through libnftables`. */
  describe(): string;
  /**
   * Makes everything ready; blocks that are already in force stay.
   * @throws MissingPartError when this machine cannot do it
   */
  open(): Promise<void>;
  /** Who is let through whatever else is said; replaces what was set before. */
  setAllow(prefixes: readonly Prefix[]): Promise<void>;
  /** Does all changes, in order, and says of each what became of it. Doing one twice is no failure. Never throws. */
  apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]>;
  /** The blocks in force, read back from the firewall. */
  held(): Promise<HeldBlock[]>;
  /** Packets stopped so far, by target (`formatPrefix`); targets that are not blocked are left out. */
  packetsStopped(targets: readonly Prefix[]): Promise<ReadonlyMap<string, number>>;
  /** Is what carries the blocks still whole? Blocks themselves may be missing: somebody lifted them by hand. */
  intact?(): Promise<boolean>;
  /**
   * Tells when somebody takes apart what carries the blocks (`disturbed`: look with `intact`), or when telltale
   * itself lifts everything from another process (`lifted-by-order`).
   * @throws SystemCallError when this machine does not tell
   */
  watch?(onEvent: (event: "disturbed" | "lifted-by-order") => void): Disposable;
  /**
   * Lets the kernel make the first decision by itself; `onTouch` hears of each block it has made.
   * @throws when this kernel cannot; blocks then work as before
   */
  arm?(
    options: TripwireOptions,
    onTouch: (touch: Touch) => void,
    onDeaf: (why: string) => void,
  ): Promise<void>;
  disarm?(): Promise<void>;
  /** Makes the kernel forget what it counted against these; whoever is let in again starts anew. Never throws. */
  pardon?(targets: readonly Prefix[]): Promise<void>;
  /** Removes every block and everything else this backend has put on the host. */
  clear(): Promise<void>;
  /** Lets go of handles; blocks stay in force. */
  close(): Promise<void>;
}
