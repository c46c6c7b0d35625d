// What the firewall itself says about the blocks in force, for tables and reports.
import { formatPrefix } from "../core/address.ts";
import { NftablesBackend } from "../respond/backends/nftables.ts";
import type { BlockRow } from "../store/store.ts";

/** The blocks with the packets each has stopped so far; unchanged where the firewall may not be asked. */
export async function withPacketCounts(blocks: readonly BlockRow[]): Promise<readonly BlockRow[]> {
  if (blocks.length === 0) return blocks;
  const backend = new NftablesBackend();
  try {
    const held = await backend.held();
    const counts = new Map(held.map((block) => [formatPrefix(block.target), block.packetsStopped]));
    return blocks.map((block) => ({
      ...block,
      packetsStopped: Math.max(block.packetsStopped, counts.get(block.target) ?? 0),
    }));
  } catch {
    return blocks; // Not root, or no nftables: the history's own counts stand, and telltale doctor says why.
  } finally {
    await backend.close();
  }
}
