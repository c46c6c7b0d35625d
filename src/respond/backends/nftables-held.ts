// Reads from the kernel which blocks telltale's nftables table holds, and how many packets each has stopped.
import { bytesOfAddress, familyOf, formatPrefix, type Prefix, prefixOf } from "../../core/address.ts";
import type { NftablesTable } from "../../sys/nftables-table.ts";
import type { AskedBlock } from "../packets.ts";
import type { HeldBlock } from "../plan.ts";
import { heldBlock, type SetKey, setKeyNamed, setKeyOf, setName } from "./ruleset.ts";

const LISTINGS = 5;
const RESIZE_MS = 20;

/** All blocks in the table; between two pieces the event loop runs. */
export async function heldBlocks(table: NftablesTable): Promise<HeldBlock[]> {
  const out: HeldBlock[] = [];
  for (const name of table.sets()) {
    const key = setKeyNamed(name);
    if (key !== null) for (const block of await heldIn(table, key)) out.push(block);
  }
  return out;
}

/** The blocks that cover this prefix: one question for each set, however many blocks there are. */
export function blocksCovering(table: NftablesTable, { base, bits }: Prefix): HeldBlock[] {
  const out: HeldBlock[] = [];
  for (const name of table.sets()) {
    const key = setKeyNamed(name);
    if (key === null || key.family !== familyOf(base) || key.bits > bits) continue;
    const found = table.element(name, bytesOfAddress(prefixOf(base, key.bits).base));
    if (found !== null) out.push(heldBlock(key, found));
  }
  return out;
}

/**
 * The blocks of one set. While the kernel resizes a hash table after many insertions, a dump can name one element twice and
 * another not at all (measured: 3 % of 100,000); one without repetitions and interruptions is whole.
 */
export async function heldIn(table: NftablesTable, key: SetKey): Promise<HeldBlock[]> {
  for (let left = LISTINGS; ; left--) {
    const seen = new Map<string, HeldBlock>();
    let count = 0;
    let whole = true;
    for (const { elements, interrupted } of table.elements(setName(key))) {
      whole &&= !interrupted;
      for (const element of elements) {
        const block = heldBlock(key, element);
        seen.set(block.target.base, block);
        count++;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    if ((whole && seen.size === count) || left <= 1) return [...seen.values()];
    await new Promise((resolve) => setTimeout(resolve, RESIZE_MS));
  }
}

/** How many packets each of these has stopped until now, by target. */
export function packetsStopped(
  table: NftablesTable,
  blocks: readonly AskedBlock[],
): ReadonlyMap<string, number> {
  const bySet = new Map<string, Prefix[]>();
  for (const { target, throttled } of blocks) {
    const name = setName(setKeyOf(target, throttled));
    const group = bySet.get(name);
    if (group === undefined) bySet.set(name, [target]);
    else group.push(target);
  }
  const counts = new Map<string, number>();
  for (const [name, targets] of bySet) {
    const packets = table.packets(
      name,
      targets.map(({ base }) => bytesOfAddress(base)),
    );
    for (const [i, target] of targets.entries()) counts.set(formatPrefix(target), packets[i] ?? 0);
  }
  return counts;
}
