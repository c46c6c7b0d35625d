// Who is locked out, why and until when; from the history, with packet counts from the firewall when we may ask it. A hundred
// thousand are read and written page by page.
import { once } from "node:events";
import { DEFAULT_LIMITS } from "../../respond/limits.ts";
import type { BlockRow, Store } from "../../store/store.ts";
import type { CommandCall } from "../catalogue.ts";
import { openHistory } from "../history.ts";
import { PacketCounts } from "../packet-counts.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { columnsOf } from "../terminal.ts";
import { blocksTable } from "./blocks-table.ts";

const BLOCKS_PER_PAGE = 1_000;
const CUT_NOTE = "Shortened to fit; telltale blocks --json and telltale explain ADDRESS show all of it.";

type Shown = BlockRow & { readonly timesBefore: number };

export async function run({ values }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  using store = openHistory(settings);
  const now = new Date();
  const { numbers, longestTarget } = store?.blocks.listing(now) ?? NONE;
  if (values["json"] === true) {
    await eachPage(settings, store, numbers, now, (blocks) => blocks.map((block) => JSON.stringify(block)));
    return 0;
  }
  if (numbers.length === 0) {
    process.stdout.write("Nobody is blocked.\n");
    return 0;
  }
  const table = blocksTable(longestTarget, columnsOf(process.stdout), now);
  await say([table.head]);
  await eachPage(settings, store, numbers, now, (blocks) => blocks.map(table.row));
  if (table.isShortened()) await say(["", CUT_NOTE]);
  return 0;
}

const NONE = { numbers: [], longestTarget: 0 };

async function eachPage(
  settings: Settings,
  store: Store | null,
  numbers: readonly number[],
  now: Date,
  lines: (blocks: readonly Shown[]) => readonly string[],
): Promise<void> {
  const since = now.getTime() - DEFAULT_LIMITS.forgetMs;
  await using counts = new PacketCounts(settings);
  for (let at = 0; store !== null && at < numbers.length; at += BLOCKS_PER_PAGE) {
    const page = store.blocks.listed(numbers.slice(at, at + BLOCKS_PER_PAGE), since);
    // The one in force is one of them.
    const shown = page.map(({ times, ...block }) => ({ ...block, timesBefore: Math.max(0, times - 1) }));
    await say(lines(await counts.with(shown)));
  }
}

// Whoever reads may be slower: what they have not read yet is not kept here.
async function say(lines: readonly string[]): Promise<void> {
  if (lines.length > 0 && !process.stdout.write(`${lines.join("\n")}\n`)) await once(process.stdout, "drain");
}
