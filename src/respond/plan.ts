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
 * Blocks that are missing or would end at another time are set, blocks that nobody wants are lifted, the rest stays
 * untouched and keeps its counters. One after the other, because there may be a hundred thousand.
 * @param graceMs how much longer than wanted the firewall shall hold a block
 */
export function* planChanges(
  wanted: Iterable<WantedBlock>,
  held: Iterable<HeldBlock>,
  graceMs: number,
): Generator<FirewallChange, void, undefined> {
  const standing = new Map<string, HeldBlock>();
  for (const block of held) standing.set(formatPrefix(block.target), block);
  for (const { target, leftMs, packetsStopped, throttled = false } of wanted) {
    if (!(leftMs > 0)) continue;
    const key = formatPrefix(target);
    const block = standing.get(key);
    standing.delete(key);
    const forMs = leftMs + graceMs;
    if (
      block !== undefined &&
      (block.throttled === true) === throttled &&
      (block.leftMs === null || Math.abs(block.leftMs - forMs) <= SAME_TIME_WITHIN_MS)
    ) {
      continue;
    }
    yield {
      do: "block",
      target,
      forMs,
      packetsStopped: Math.max(packetsStopped, block?.packetsStopped ?? 0),
      fresh: block === undefined,
      ...(throttled && { throttled }),
    };
  }
  for (const block of standing.values()) yield liftOf(block);
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
