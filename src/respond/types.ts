// The shapes this room speaks in: what is blocked, what changes in a firewall, what is remembered, who is protected.
import type { Prefix } from "../core/address.ts";
import type { EvidenceGrade, LiftCause } from "../core/events.ts";

/** One block as the history keeps it. Times are ISO 8601, UTC. */
export type BlockRow = {
  /** An address, or `ADDRESS/BITS`. */
  readonly target: string;
  readonly since: string;
  readonly until: string;
  readonly because: string;
  readonly grade: EvidenceGrade;
  readonly findingId: string;
  readonly packetsStopped: number;
  /** Slowed down, not shut out. */
  readonly throttled?: boolean;
};

/** What of a block in force has to be at hand. Of these there may be a hundred thousand. */
export type BlockInForce = {
  /** An address, or `ADDRESS/BITS`. */
  readonly target: string;
  /** Milliseconds of the epoch. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly grade: EvidenceGrade;
  readonly packetsStopped: number;
  readonly throttled: boolean;
};

/** What the responder asks of the store, no more. */
export interface BlockHistory {
  put(row: BlockRow): void;
  /** Not lifted and not run out, at most `limit`, by their targets as text; `after` is the last of those that came before. */
  inForceAfter(now: Date, after: string, limit: number): readonly BlockInForce[];
  /** Targets of those that ran out and were not lifted, at most `limit`, as text; `after` as above. */
  overdueAfter?(now: Date, after: string, limit: number): readonly string[];
  lift(target: string, at: Date, cause: LiftCause, packetsStopped?: number): boolean;
  /** So many packets has the block in force of this target stopped by now. */
  count(target: string, packetsStopped: number): void;
  /** How often this target was blocked since then (milliseconds of the epoch). */
  times(target: string, sinceMs: number): number;
  /** Does everything that `work` writes in one transaction, which costs about as much as one write. */
  together?<T>(work: () => T): T;
}

/** A step from the blocks a firewall holds to those it should hold. */
export type FirewallChange =
  | {
      readonly do: "block";
      readonly target: Prefix;
      /** Time left, in milliseconds. */
      readonly forMs: number;
      /** Where the counter starts: packets stopped before a restart. */
      readonly packetsStopped?: number;
      /** The firewall is known not to hold this target yet, which saves taking it out first. */
      readonly fresh?: boolean;
      /** Slow it down instead of shutting it out. One target is either. */
      readonly throttled?: boolean;
    }
  | {
      readonly do: "lift";
      readonly target: Prefix;
      /** It was slowed down only: where its packets are counted. It is lifted in either case. */
      readonly throttled?: boolean;
    };

/** One protected address or network, and why. */
export type Guard = {
  readonly prefix: Prefix;
  /** For a verdict and for `telltale guardrails`: `default gateway of eth0`. */
  readonly because: string;
  /** Somebody is logged in from there. */
  readonly isLogin?: true;
};

/** Who must never be blocked, as far as this host can be read. */
export type HostFacts = {
  readonly guards: readonly Guard[];
  /** Networks that somebody has logged in from lately: a block there may cut the administrator of tomorrow. */
  readonly loginNetworks?: readonly Guard[];
  /** What could not be read, so that nobody relies on a protection that is not there. */
  readonly unread: readonly { readonly what: string; readonly why: string }[];
};

/** How far responding may go, each with its reason in `limits.ts`. */
export type BlockLimits = {
  /** First block of a source, milliseconds. */
  readonly blockMs: number;
  /** Each further block of the same source is this many times longer. */
  readonly growth: number;
  readonly capMs: number;
  /** Longest block on evidence that anybody could have forged, milliseconds. */
  readonly spoofableCapMs: number;
  /** Blocks older than this no longer make the next one longer, milliseconds. */
  readonly forgetMs: number;
  /** Share of the time that chance adds or takes away: 0.1 is ±10 %. */
  readonly jitter: number;
  /** Longest block, unless made by hand, of a network that somebody has logged in from lately, milliseconds. */
  readonly provisionalMs: number;
  readonly maxPerMinute: number;
  readonly maxInForce: number;
  /** Past the caps, a network with this many proven scanners is blocked whole; 0: never. */
  readonly aggregateFrom: number;
};
