// Asks the firewall what some blocks have stopped, as many at a time as whoever asks can hold: a hundred thousand are never in memory
// at once, and where the kernel answers for single blocks nobody waits for its list of all.
import { formatPrefix, parsePrefix } from "../core/address.ts";
import { packetsStopped } from "../respond/backends/nftables-held.ts";
import { TABLE } from "../respond/backends/ruleset.ts";
import type { BlockRow } from "../store/store.ts";
import { NftablesTable } from "../sys/nftables-table.ts";
import { heldHere } from "./firewall.ts";
import type { Settings } from "./settings.ts";

type Counts = ReadonlyMap<string, number>;
type Asked = Pick<BlockRow, "target" | "throttled">;

const UNKNOWN: Counts = new Map();

export class PacketCounts {
  readonly #settings: Settings;
  readonly #table: NftablesTable | null;
  #all: Promise<Counts> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#table =
      settings.config.respond.backend === "nftables" ? new NftablesTable(TABLE.split(" ")[1]!) : null;
  }

  /** Packets that each of these has stopped until now, by target; nothing where the firewall may not be asked. */
  async of(blocks: readonly Asked[]): Promise<Counts> {
    try {
      if (this.#table === null) return await (this.#all ??= countsOfAll(this.#settings));
      return packetsStopped(
        this.#table,
        blocks.map(({ target, throttled }) => ({ target: parsePrefix(target)!, throttled })),
      );
    } catch {
      return UNKNOWN; // The history's own counts stand, and telltale doctor says why.
    }
  }

  [Symbol.dispose](): void {
    this.#table?.close();
  }
}

async function countsOfAll(settings: Settings): Promise<Counts> {
  const held = await heldHere(settings);
  return new Map(held.map((block) => [formatPrefix(block.target), block.packetsStopped]));
}
