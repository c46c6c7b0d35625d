// telltale's own nftables table: what is in it, as text, so that the whole ruleset can be compared with a snapshot; and the
// elements that come and go.
import {
  addressFromBytes,
  bytesOfAddress,
  familyOf,
  formatPrefix,
  type Prefix,
  parseAddress,
} from "../../core/address.ts";
import type { TableElement } from "../../sys/nftables-table.ts";
import type { ElementStep, OverRate, SetElement } from "../../sys/nftables-transaction.ts";
import type { HeldBlock } from "../plan.ts";
import type { FirewallChange } from "../types.ts";

/** The one table this program touches. */
export const TABLE = "inet telltale";

// Before connection tracking (-200) and address translation (-100), so that a published container port and
// forwarded traffic are covered and a blocked source costs no tracking entry; after raw's defragmentation (-400).
const PRIORITY = -310;

// One hash set for each prefix length in use, looked up with the masked source: an interval set would have to be read
// back for every change and refuses blocks that overlap.
export const MAX_ELEMENTS = 262_144;
const WHOLE: Record<4 | 6, number> = { 4: 32, 6: 128 };

/** A family and a prefix length that the table has a set for; another one for those who are slowed down only. */
export type SetKey = { readonly family: 4 | 6; readonly bits: number; readonly slow?: boolean };

export function setKeyOf(target: Prefix, throttled = false): SetKey {
  return { family: familyOf(target.base), bits: target.bits, ...(throttled && { slow: true }) };
}

/** A number of its own for each set, because a name made for each of 100,000 blocks takes longer than the block. */
export function setId({ family, bits, slow }: SetKey): number {
  return (bits << 4) | (slow === true ? 8 : 0) | family;
}

/** `blocked4_32`, `blocked6_64`, `slowed4_32`. */
export function setName({ family, bits, slow }: SetKey): string {
  return `${slow === true ? "slowed" : "blocked"}${family}_${bits}`;
}

// A person reloads a page a few times; a scanner at this rate needs four days for all ports. What counts are TCP segments
// that belong to no connection (no ACK, no RST): openings, and the odd flags of scans. Connections go on; so does UDP,
// because without tracking nobody can tell an answer from a probe.
const SLOW: OverRate = { perMinute: 10, burst: 5 };
const SLOW_RATE = `limit rate over ${SLOW.perMinute}/minute burst ${SLOW.burst} packets`;

/** The sets that are always there: IPv4 addresses, IPv6 addresses, IPv6 networks of one customer. */
export const USUAL_SETS: readonly SetKey[] = [
  { family: 4, bits: 32 },
  { family: 6, bits: 128 },
  { family: 6, bits: 64 },
];

/** One transaction that makes the table what it should be and keeps the elements it has. */
export function tableScript(keys: readonly SetKey[]): string {
  const lines = [
    `add table ${TABLE}`,
    `add set ${TABLE} allow4 { type ipv4_addr; flags interval; auto-merge; }`,
    `add set ${TABLE} allow6 { type ipv6_addr; flags interval; auto-merge; }`,
    ...keys.map(
      (key) =>
        `add set ${TABLE} ${setName(key)} { type ipv${key.family}_addr; flags dynamic, timeout; size ${MAX_ELEMENTS}; ${key.slow === true ? `${SLOW_RATE}; ` : ""}counter; }`,
    ),
    `add chain ${TABLE} prerouting { type filter hook prerouting priority ${PRIORITY}; policy accept; }`,
    `flush chain ${TABLE} prerouting`,
    // "accept" ends this chain only: every other table still sees the packet.
    `add rule ${TABLE} prerouting iifname "lo" accept`,
    `add rule ${TABLE} prerouting ip saddr @allow4 accept`,
    `add rule ${TABLE} prerouting ip6 saddr @allow6 accept`,
    ...keys.map(
      (key) =>
        `add rule ${TABLE} prerouting ${key.slow === true ? "tcp flags & (rst | ack) == 0x0 " : ""}${maskedSource(key)} @${setName(key)} drop`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

/** One transaction that removes the table, whether or not it is there. */
export function removeScript(): string {
  return `add table ${TABLE}\ndelete table ${TABLE}\n`;
}

export function allowScript(prefixes: readonly Prefix[]): string {
  const lines: string[] = [];
  for (const family of [4, 6] as const) {
    const elements = prefixes.filter((prefix) => familyOf(prefix.base) === family).map(formatPrefix);
    lines.push(`flush set ${TABLE} allow${family}`);
    if (elements.length > 0) lines.push(`add element ${TABLE} allow${family} { ${elements.join(", ")} }`);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * The steps of one transaction for all changes. An element that may be there is added, deleted and added again: the first
 * makes the deletion succeed, and what is merely added twice keeps its old timeout.
 * @param knows which sets the table has; what must go is taken out of each that may hold it
 */
export function elementSteps(
  changes: readonly FirewallChange[],
  knows: (key: SetKey) => boolean = (key) => key.slow !== true,
): ElementStep[] {
  const groups = new Map<number, Group>();
  const groupOf = (key: SetKey): Group => {
    const id = setId(key);
    let group = groups.get(id);
    if (group === undefined) groups.set(id, (group = { set: setName(key), drop: [], add: [] }));
    return group;
  };
  for (const change of lastWords(changes)) {
    const { target } = change;
    const key = bytesOfAddress(target.base);
    if (change.do === "lift" || change.fresh !== true)
      for (const slow of [false, true]) {
        const set = setKeyOf(target, slow);
        if (knows(set)) groupOf(set).drop.push({ key });
      }
    if (change.do === "lift") continue;
    const { forMs, packetsStopped } = change;
    const counted = packetsStopped
      ? { packets: packetsStopped, ...(change.throttled === true && { over: SLOW }) }
      : {};
    groupOf(setKeyOf(target, change.throttled)).add.push({ key, forMs, ...counted });
  }
  const steps: ElementStep[] = [];
  for (const { set, drop, add } of groups.values()) {
    if (drop.length > 0) steps.push(...takenOut(set, drop));
    if (add.length > 0) steps.push({ do: "add", set, elements: add });
  }
  return steps;
}

type Group = { readonly set: string; readonly drop: SetElement[]; readonly add: SetElement[] };

// The last word on a target is the one that counts.
function lastWords(changes: readonly FirewallChange[]): Iterable<FirewallChange> {
  const last = new Map<string, FirewallChange>();
  for (const change of changes) last.set(formatPrefix(change.target), change);
  return last.size === changes.length ? changes : last.values();
}

/** Takes elements out of a set, whether or not they are in it. */
export function takenOut(set: string, elements: readonly SetElement[]): ElementStep[] {
  return [
    { do: "add", set, elements },
    { do: "delete", set, elements },
  ];
}

/** The key of a set of blocks by its name; null for the table's other sets. */
export function setKeyNamed(name: string): SetKey | null {
  const [, kind, family, bits] = /^(blocked|slowed)([46])_(\d+)$/.exec(name) ?? [];
  if (kind === undefined) return null;
  return { family: Number(family) as 4 | 6, bits: Number(bits), ...(kind === "slowed" && { slow: true }) };
}

/** An element of the set with this key, as a block. */
export function heldBlock({ family, bits, slow }: SetKey, { key, leftMs, packets }: TableElement): HeldBlock {
  return {
    target: { base: addressFromBytes(key, 0, family), bits },
    leftMs,
    packetsStopped: packets,
    ...(slow === true && { throttled: true }),
  };
}

function maskedSource({ family, bits }: SetKey): string {
  const field = family === 4 ? "ip saddr" : "ip6 saddr";
  return bits === WHOLE[family] ? field : `${field} and ${mask(family, bits)}`;
}

function mask(family: 4 | 6, bits: number): string {
  const bytes = Array.from({ length: family === 4 ? 4 : 16 }, (_, i) => {
    const keep = Math.min(8, Math.max(0, bits - 8 * i));
    return (0xff00 >> keep) & 0xff;
  });
  if (family === 4) return bytes.join(".");
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  return parseAddress(words.join(":"))!;
}
