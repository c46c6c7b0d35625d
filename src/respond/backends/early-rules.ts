// Lets a process without any right name a source to the kernel, which blocks it within that very system call, for a minute at
// most: the order itself takes the way through another process and arrives a millisecond later. The name comes as an empty datagram
// on the loopback interface, from one user of the host (src/sys/loopback-datagram.ts).
import type { Address, Prefix } from "../../core/address.ts";
import { familyOf } from "../../core/address.ts";
import type { FirewallChange } from "../types.ts";
import { setName, TABLE } from "./ruleset.ts";
import { BLOCK_MS } from "./tripwire-rules.ts";

export type EarlyOptions = {
  /** The user whose word counts. */
  readonly uid: number;
  /** So many sources a minute; what is more waits for the order. */
  readonly perMinute: number;
};

export const EARLY_CHAIN = "early";

const CUSTOMER_BITS = 64;
// udp(7): the header counts as well.
const HEADER_BYTES = 8;

/** What an early block names: an address, and the length of the payload that says which set is meant. */
export type EarlyName = { readonly address: Address; readonly length: 0 | 1 };

/** How this change is named to the kernel, or null when it has to wait for its order: networks, those who are slowed down, lifts. */
export function earlyNameOf(change: FirewallChange): EarlyName | null {
  if (change.do !== "block" || change.throttled === true) return null;
  const { base, bits }: Prefix = change.target;
  if (bits === (familyOf(base) === 4 ? 32 : 128)) return { address: base, length: 0 };
  return bits === CUSTOMER_BITS && familyOf(base) === 6 ? { address: base, length: 1 } : null;
}

/** What `tableScript` is followed by, in the same transaction. */
export function earlyScript({ uid, perMinute }: EarlyOptions): string {
  const timeout = `${BLOCK_MS / 1_000}s`;
  // Whoever is named is dropped from the chain as a datagram: the sender's call fails with EPERM, and it knows that it was heard.
  const named = (length: number, bits: number, source: string) =>
    rule(
      `meta skuid ${uid} udp length ${HEADER_BYTES + length} add @${setName({ family: source.startsWith("ip6") ? 6 : 4, bits })} { ${source} timeout ${timeout} } drop`,
    );
  return `${[
    `add chain ${TABLE} ${EARLY_CHAIN} { type filter hook output priority -310; policy accept; }`,
    `flush chain ${TABLE} ${EARLY_CHAIN}`,
    rule('oifname != "lo" accept'),
    rule("meta l4proto != udp accept"),
    rule(`udp length > ${HEADER_BYTES + 1} accept`),
    rule("ip daddr 127.0.0.0/8 accept"),
    rule("ip daddr @allow4 accept"),
    rule("ip6 saddr ::1 accept"),
    rule("ip6 saddr @allow6 accept"),
    // Others may send what they like; it does not use up the listener's share.
    rule(`meta skuid ${uid} limit rate over ${perMinute}/minute burst ${perMinute} packets accept`),
    named(0, 32, "ip daddr"),
    named(0, 128, "ip6 saddr"),
    named(1, CUSTOMER_BITS, "ip6 saddr and ffff:ffff:ffff:ffff::"),
  ].join("\n")}\n`;
}

/** Takes the chain out and leaves the blocks. */
export function earlyEndScript(): string {
  return `flush chain ${TABLE} ${EARLY_CHAIN}\ndelete chain ${TABLE} ${EARLY_CHAIN}\n`;
}

function rule(text: string): string {
  return `add rule ${TABLE} ${EARLY_CHAIN} ${text}`;
}
