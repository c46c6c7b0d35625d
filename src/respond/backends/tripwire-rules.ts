// Lets the kernel make the first decision, at the packet: one touch of a tripwire port, or the k-th distinct unused
// TCP port from one source within a minute, and the source is in the blocked set before user space has seen anything.
import { type Address, bytesOfAddress, familyOf, type Prefix, prefixOf } from "../../core/address.ts";
import type { ElementStep, SetElement } from "../../sys/nftables-transaction.ts";
import type { FirewallChange } from "../types.ts";
import { setName, TABLE, takenOut } from "./ruleset.ts";

export type TripwireOptions = {
  /** The how-many-th distinct unused port within a minute blocks. */
  readonly distinctPorts?: number;
  /** Ports of which one touch is enough, when nothing listens there. */
  readonly ports?: readonly number[];
  /** Ports that never count, as `sentry.exclude_ports` has it: those that people knock at, ident. */
  readonly excludedPorts?: readonly number[];
  /** How long the kernel blocks by itself, milliseconds: short, because a bare SYN may bear a forged source. */
  readonly blockMs?: number;
  /** New blocks a minute that the kernel makes by itself, for each family; past it user space decides alone. */
  readonly maxPerMinute?: number;
};

/** The third: a browser that tries http and https, or both ports of a wrong address, stays below. */
const DISTINCT_PORTS = 3;
// Behind an address that is being served may be an office or a provider's customers: among hundreds of visits a handful
// goes astray every minute. User space counts the visits as well and is the stricter judge of whoever only fails.
const VISITORS_PATIENCE = 4;
export const BLOCK_MS = 60_000;
const MAX_PER_MINUTE = 60;
// A source is forgotten a minute after its last touch; 65,535 sources hold about 8 MB, and when all places are taken the
// rule does not match and user space decides as before.
const MEMORY_S = 60;
const MAX_SOURCES = 65_535;

/** NFLOG group of the notifications: "tt", away from the small numbers that people write by hand. */
export const LOG_GROUP = 0x7474;
/** The headers of IPv6 and TCP fit. */
export const SNAP_BYTES = 128;

const CHAIN = "tripwire";
// Ports that have answered lately. While a service restarts its port is closed, and the load balancer that looks at five
// services of one host during an upgrade is no scanner.
const ANSWERS = "answered";
const GRACE_S = 600;

/** What the kernel writes to a notification about a source that it knows as a visitor. */
export const VISITOR_PREFIX = "visitor";

/** The how-many-th distinct unused port within a minute the kernel blocks at. */
export function distinctPortsOf(
  { distinctPorts = DISTINCT_PORTS }: TripwireOptions,
  visitor: boolean,
): number {
  return Math.max(2, distinctPorts) * (visitor ? VISITORS_PATIENCE : 1);
}

/** What `tableScript` is followed by, in the same transaction. */
export function tripwireScript(options: TripwireOptions): string {
  const perMinute = options.maxPerMinute ?? MAX_PER_MINUTE;
  const timeout = `${Math.ceil((options.blockMs ?? BLOCK_MS) / 1_000)}s`;
  const [ports, excluded] = [portsOf(options.ports), portsOf(options.excludedPorts)] as const;
  const lines = [
    // After address translation: a port that leads to a container is not local any more and never comes here.
    `add chain ${TABLE} ${CHAIN} { type filter hook input priority -310; policy accept; }`,
    `flush chain ${TABLE} ${CHAIN}`,
    `add set ${TABLE} served { type inet_service; flags dynamic, timeout; timeout ${GRACE_S}s; size ${MAX_SOURCES}; }`,
    // After address translation as well, where the answer of a container bears the host's address and its published port.
    // What is merely routed does not: whoever is served elsewhere is no visitor of this host.
    `add chain ${TABLE} ${ANSWERS} { type filter hook postrouting priority 310; policy accept; }`,
    `flush chain ${TABLE} ${ANSWERS}`,
    answer("meta l4proto != tcp accept"),
    answer("tcp flags & (syn|ack) == (syn|ack) fib saddr type local update @served { tcp sport } accept"),
    // Whom the host sends data or a farewell has completed the handshake: a bare ACK or a reset goes to forged sources
    // as well. Connection tracking would say the same, but its table is one more that a flood can fill.
    answer("tcp flags & (fin|psh) == 0x0 accept"),
    answer("tcp flags & (syn|rst) != 0x0 accept"),
    answer('oifname "lo" accept'),
    // Peers that the host itself has called are no visitors.
    answer("tcp sport != @served accept"),
    answer("fib saddr type != local accept"),
    rule('iifname "lo" accept'),
    rule("ip saddr @allow4 accept"),
    rule("ip6 saddr @allow6 accept"),
    rule("meta l4proto != tcp accept"),
    rule("tcp flags & (fin|syn|rst|ack) != syn accept"),
    // The kernel itself knows which ports are in use, also one that was opened a microsecond ago.
    rule("socket wildcard { 0, 1 } accept"),
    rule("tcp dport @served accept"),
    ...(excluded.length > 0 ? [rule(`tcp dport { ${excluded.join(", ")} } accept`)] : []),
  ];
  for (const [family, source, network, width] of [
    [4, "ip saddr", "", 32],
    // Counted by customer network, blocked by address: user space knows whether a neighbour there is protected.
    [6, "ip6 saddr", " and ffff:ffff:ffff:ffff::", 128],
  ] as const) {
    const key = source + network;
    const block = (prefix = "") =>
      `limit rate ${perMinute}/minute burst ${perMinute} packets add @${setName({ family, bits: width })} { ${source} timeout ${timeout} } log ${prefix}group ${LOG_GROUP} snaplen ${SNAP_BYTES} drop`;
    const count = (set: string, visitor: boolean) => {
      const free = distinctPortsOf(options, visitor) - 1;
      return `update @${set}${family} { ${key} limit rate over ${free}/minute burst ${free} packets }`;
    };
    const type = `ipv${family}_addr`;
    const set = (name: string, keyType: string, seconds = MEMORY_S) =>
      `add set ${TABLE} ${name} { type ${keyType}; flags dynamic, timeout; timeout ${seconds}s; size ${MAX_SOURCES}; }`;
    lines.unshift(
      `add set ${TABLE} spared${family} { type ${type}; flags dynamic, timeout; size ${MAX_SOURCES}; }`,
    );
    lines.unshift(
      set(`touched${family}`, `${type} . inet_service`),
      set(`score${family}`, type),
      set(`visitors${family}`, type, GRACE_S),
      set(`patience${family}`, type),
    );
    lines.push(answer(`update @visitors${family} { ${family === 4 ? "ip" : "ip6"} daddr${network} }`));
    if (ports.length > 0)
      lines.push(
        rule(`${source} != ${family === 4 ? "0.0.0.0" : "::"} tcp dport { ${ports.join(", ")} } ${block()}`),
      );
    lines.push(
      // Who is slowed down is for user space to judge; the kernel would shut it out again at once.
      rule(`${key} @spared${family} accept`),
      // Trying one closed port again and again is one mistake, not many.
      rule(`${source} . tcp dport @touched${family} accept`),
      rule(`add @touched${family} { ${source} . tcp dport }`),
      rule(`${key} @visitors${family} ${count("patience", true)} ${block(`prefix "${VISITOR_PREFIX}" `)}`),
      rule(`${key} @visitors${family} accept`),
      rule(`${count("score", false)} ${block()}`),
    );
  }
  return `${lines.join("\n")}\n`;
}

function portsOf(given: readonly number[] = []): number[] {
  return [...new Set(given)].filter((port) => port > 0 && port < 65_536);
}

/** The steps that make the kernel forget what it counted against these. */
export function pardonSteps(targets: readonly Prefix[]): ElementStep[] {
  const keys = new Map<string, Map<string, SetElement>>();
  for (const { base, bits } of targets) {
    const family = familyOf(base);
    if (family === 4 && bits < 32) continue; // a network: each of its addresses is forgotten within a minute anyway
    const counted = countedAs(base);
    for (const name of [`score${family}`, `patience${family}`]) {
      let elements = keys.get(name);
      if (elements === undefined) keys.set(name, (elements = new Map()));
      elements.set(counted, { key: bytesOfAddress(counted) });
    }
  }
  return [...keys].flatMap(([name, elements]) => takenOut(name, [...elements.values()]));
}

/** The steps that keep the kernel from blocking those who are slowed down, for as long as they are. */
export function spareSteps(changes: readonly FirewallChange[]): ElementStep[] {
  return changes.flatMap((change): ElementStep[] => {
    const { base, bits } = change.target;
    const family = familyOf(base);
    if (change.throttled !== true || bits < (family === 4 ? 32 : 64)) return [];
    const set = `spared${family}`;
    const key = bytesOfAddress(countedAs(base));
    const out = takenOut(set, [{ key, forMs: 1_000 }]);
    return change.do === "lift"
      ? out
      : [...out, { do: "add", set, elements: [{ key, forMs: change.forMs }] }];
  });
}

// The kernel counts IPv6 by customer network.
function countedAs(base: Address): Address {
  return familyOf(base) === 4 ? base : prefixOf(base, 64).base;
}

/** Takes the tripwire out and leaves the blocks it made. */
export function disarmScript(): string {
  const each = ["touched", "score", "patience", "visitors", "spared"];
  const sets = [...[4, 6].flatMap((family) => each.map((name) => `${name}${family}`)), "served"];
  return [
    ...[CHAIN, ANSWERS].flatMap((chain) => [
      `flush chain ${TABLE} ${chain}`,
      `delete chain ${TABLE} ${chain}`,
    ]),
    ...sets.map((name) => `delete set ${TABLE} ${name}`),
    "",
  ].join("\n");
}

function answer(text: string): string {
  return `add rule ${TABLE} ${ANSWERS} ${text}`;
}

function rule(text: string): string {
  return `add rule ${TABLE} ${CHAIN} ${text}`;
}
