// Reads who is blocked from the history, a page at a time, with packet counts from the firewall when we may ask it: where no guard runs
// that could be asked, and where there are more blocks than it tells.
import { openHistory } from "./history.ts";
import { PacketCounts } from "./packet-counts.ts";
import { gatherSettings } from "./settings.ts";
import { type ShownBlock, shownBlocks } from "./shown-blocks.ts";

const BLOCKS_PER_PAGE = 1_000;

/** Calls `begin` with the length of the longest target and then `page` for each page of blocks; none when nobody is blocked. */
export async function readBlocks(
  configFile: string | undefined,
  now: Date,
  begin: (longestTarget: number) => Promise<void>,
  page: (blocks: readonly ShownBlock[]) => Promise<void>,
): Promise<void> {
  const settings = gatherSettings(configFile);
  using store = openHistory(settings);
  if (store === null) return;
  const { numbers, longestTarget } = store.blocks.listing(now);
  if (numbers.length === 0) return;
  await begin(longestTarget);
  await using counts = new PacketCounts(settings);
  for (let at = 0; at < numbers.length; at += BLOCKS_PER_PAGE)
    await page(await shownBlocks(store, numbers.slice(at, at + BLOCKS_PER_PAGE), now, counts.of));
}
