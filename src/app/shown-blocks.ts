// A page of the blocks in force as somebody is shown them: the history's words, the firewall's count of packets, and how often before.
import { parsePrefix } from "../core/address.ts";
import { DEFAULT_LIMITS } from "../respond/limits.ts";
import type { PacketCounter } from "../respond/packets.ts";
import type { BlockRow, Store } from "../store/store.ts";

export type ShownBlock = BlockRow & {
  /** How often this target was blocked before, as far as the guard minds it. */
  readonly timesBefore: number;
};

/**
 * @param numbers of a listing
 * @throws whatever the store and the counter throw
 */
export async function shownBlocks(
  store: Store,
  numbers: readonly number[],
  now: Date,
  packetsOf: PacketCounter,
): Promise<readonly ShownBlock[]> {
  const blocks = store.blocks.listed(numbers, now.getTime() - DEFAULT_LIMITS.forgetMs);
  const packets = await packetsOf(
    blocks.map(({ target, throttled = false }) => ({ target: parsePrefix(target)!, throttled })),
  );
  return blocks.map(({ times, ...block }, i) => ({
    ...block,
    packetsStopped: Math.max(block.packetsStopped, packets[i] ?? 0),
    // The one in force is one of them.
    timesBefore: Math.max(0, times - 1),
  }));
}
