// Who is locked out, why and until when. A running guard says it at once; otherwise it is read from the history, page by page: a
// hundred thousand must not wait for the last to be known.
import { once } from "node:events";
import type { CommandCall } from "../catalogue.ts";
import { askBlocks } from "../control/client.ts";
import { guardSocket } from "../control/find.ts";
import { gatherPlaces } from "../places.ts";
import type { ShownBlock } from "../shown-blocks.ts";
import { columnsOf } from "../terminal.ts";
import { type BlocksTable, blocksTable } from "./blocks-table.ts";

const CUT_NOTE = "Shortened to fit; telltale blocks --json and telltale explain ADDRESS show all of it.";

export async function run({ values }: CommandCall): Promise<number> {
  const configFile = values["config"] as string | undefined;
  const now = new Date();
  const list = values["json"] === true ? new JsonLines() : new Table(now);
  const told = await askBlocks(guardSocket(gatherPlaces(configFile)));
  if (told === null) {
    const { readBlocks } = await import("../block-history.ts");
    await readBlocks(configFile, now, list.begin, list.page);
  } else if (told.length > 0) {
    await list.begin(Math.max(...told.map(({ target }) => target.length)));
    await list.page(told);
  }
  await list.end();
  return 0;
}

/** Where a list of blocks goes; `begin` and `page` are bound, and not called when nobody is blocked. */
type List = {
  readonly begin: (longestTarget: number) => Promise<void>;
  readonly page: (blocks: readonly ShownBlock[]) => Promise<void>;
  end(): Promise<void>;
};

class JsonLines implements List {
  readonly begin = async (): Promise<void> => {};
  readonly page = (blocks: readonly ShownBlock[]): Promise<void> =>
    say(blocks.map((block) => JSON.stringify(block)));
  async end(): Promise<void> {}
}

class Table implements List {
  readonly #now: Date;
  #table: BlocksTable | undefined;

  constructor(now: Date) {
    this.#now = now;
  }

  readonly begin = (longestTarget: number): Promise<void> => {
    this.#table = blocksTable(longestTarget, columnsOf(process.stdout), this.#now);
    return say([this.#table.head]);
  };

  readonly page = (blocks: readonly ShownBlock[]): Promise<void> => say(blocks.map(this.#table!.row));

  async end(): Promise<void> {
    if (this.#table === undefined) await say(["Nobody is blocked."]);
    else if (this.#table.isShortened()) await say(["", CUT_NOTE]);
  }
}

// Whoever reads may be slower: what they have not read yet is not kept here.
async function say(lines: readonly string[]): Promise<void> {
  if (lines.length > 0 && !process.stdout.write(`${lines.join("\n")}\n`)) await once(process.stdout, "drain");
}
