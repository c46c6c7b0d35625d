// What the guard is made of: parts that start, describe themselves, stop, and fail one by one.
import type { Clock } from "../core/clock.ts";
import type { Part } from "../core/events.ts";
import type { PacketCounter } from "../respond/packets.ts";
import type { Store } from "../store/store.ts";
import type { Bus } from "./bus.ts";
import type { Powers } from "./powers.ts";
import type { Settings } from "./settings.ts";

export type PartContext = {
  readonly settings: Settings;
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly powers: Powers;
};

export type RunningPart = {
  /** One line or more for the status block: what it watches, when it runs next. */
  describe(): readonly string[];
  /** What it does next by its schedule, and what only it can count at no cost; for telltale status. */
  outlook?(): Outlook;
  /** What blocks have stopped, of a part that blocks by a firewall which can be asked for some. */
  readonly packetsOf?: PacketCounter;
  stop(): Promise<void>;
};

export type Outlook = {
  readonly next?: readonly { readonly what: string; readonly at: Date }[];
  readonly reportsWaiting?: number;
  readonly blocksInForce?: number;
};

/** A part that configuration turned off, with the reason for the status block. */
export type OffPart = { readonly off: string };

export type PartDefinition = {
  readonly name: Part;
  /** What works without it, for the event that tells of its failure. */
  readonly stillRuns: string;
  /** Throws MissingPartError when this machine lacks something it needs. */
  start(context: PartContext): Promise<RunningPart | OffPart>;
};
