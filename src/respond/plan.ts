// The steps from the blocks a firewall holds to the blocks it should hold. Pure: what is printed as a plan is
// what a backend is given.
import { formatPrefix, type Prefix } from "../core/address.ts";
import { formatDuration } from "../core/duration.ts";
import type { FirewallChange } from "./types.ts";

/** One block as a firewall holds it. */
export type HeldBlock = {
  readonly target: Prefix;
  /** Time until the firewall lifts it by itself, in milliseconds; null when it never would. */
  readonly leftMs: number | null;
  readonly packetsStopped: number;
  /** Slowed down, not shut out. */
  readonly throttled?: boolean;
};

/** One block as it should be. */
export type WantedBlock = {
  readonly target: Prefix;
  /** Time until it should end, in milliseconds; one whose time is over is not wanted. */
  readonly leftMs: number;
  readonly packetsStopped: number;
  readonly throttled?: boolean;
};

// A firewall counts in its own ticks, and a moment passes between reading it and writing to it.
const SAME_TIME_WITHIN_MS = 15_000;

/**
 * What a firewall holds against what it should hold: blocks that are missing or would end at another time are set, the rest stays
 * untouched and keeps its counters. Asked one after the other, because there may be a hundred thousand.
 */
export class FirewallPlan {
  readonly #rest = new Map<string, HeldBlock>();
  readonly #graceMs: number;

  /** @param graceMs how much longer than wanted the firewall shall hold a block */
  constructor(held: Iterable<HeldBlock>, graceMs: number) {
    for (const block of held) this.#rest.set(formatPrefix(block.target), block);
    this.#graceMs = graceMs;
  }

  /** The step for one that should be; null where there is nothing to do. */
  stepFor({ target, leftMs, packetsStopped, throttled = false }: WantedBlock): FirewallChange | null {
    if (!(leftMs > 0)) return null;
    const key = formatPrefix(target);
    const block = this.#rest.get(key);
    this.#rest.delete(key);
    const forMs = leftMs + this.#graceMs;
    if (
      block !== undefined &&
      (block.throttled === true) === throttled &&
      (block.leftMs === null || Math.abs(block.leftMs - forMs) <= SAME_TIME_WITHIN_MS)
    )
      return null;
    return {
      do: "block",
      target,
      forMs,
      packetsStopped: Math.max(packetsStopped, block?.packetsStopped ?? 0),
      fresh: block === undefined,
      ...(throttled && { throttled }),
    };
  }

  /** What the firewall holds and nobody has asked for so far. */
  rest(): readonly HeldBlock[] {
    return [...this.#rest.values()];
  }
}

/** The step that ends a block. */
export function liftOf({ target, throttled }: Pick<HeldBlock, "target" | "throttled">): FirewallChange {
  return { do: "lift", target, ...(throttled === true && { throttled }) };
}

/** One line of a plan, for a dry run. */
export function describeChange(change: FirewallChange): string {
  return change.do === "lift"
    ? `lift ${formatPrefix(change.target)}`
    : `${change.throttled === true ? "throttle" : "block"} ${formatPrefix(change.target)} for ${formatDuration(change.forMs)}`;
}
