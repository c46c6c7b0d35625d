// How many packets blocks have stopped. A firewall that can say it of some is asked for as many as there is room for; of any other the
// list of all is read, once.
import { formatPrefix } from "../core/address.ts";
import type { Backend } from "./backend.ts";
import type { HeldBlock } from "./plan.ts";

/** What a firewall is asked about. */
export type AskedBlock = Pick<HeldBlock, "target" | "throttled">;

/** Tells of each how many packets it has stopped until now, in their order; 0 where the firewall does not hold it. Throws what the backend throws. */
export type PacketCounter = (blocks: readonly AskedBlock[]) => Promise<readonly number[]>;

export function packetCounter(backend: Backend): PacketCounter {
  if (backend.packets !== undefined) return (blocks) => backend.packets!(blocks);
  let all: Promise<ReadonlyMap<string, number>> | undefined;
  return async (blocks) => {
    const counts = await (all ??= countsOfAll(backend));
    return blocks.map(({ target }) => counts.get(formatPrefix(target)) ?? 0);
  };
}

async function countsOfAll(backend: Backend): Promise<ReadonlyMap<string, number>> {
  const held = await backend.held();
  return new Map(held.map((block) => [formatPrefix(block.target), block.packetsStopped]));
}
