// Writes the kernel's half of the sentry: a classic BPF program that keeps ordinary traffic out of user space. It may
// let through too much, never too little: whoever receives the packets decides. Pure.
//
// The program runs on packets whose link header the kernel took off, so the IP header stands at 0, or at 4 behind a
// VLAN tag that is still in place (QinQ).
import { ANCILLARY, BpfProgram } from "./bpf.ts";
import type { Ordinary, PortRange } from "./types.ts";

export type FilterOptions = {
  readonly ordinary: Ordinary;
  /** Interface indexes to listen on; null for all. */
  readonly interfaces: readonly number[] | null;
  readonly loopback: boolean;
};

/** Bytes kept of each packet: what fits into a ring frame behind the kernel's 80. */
export const KEEP_BYTES = 176;

// More ranges than this per question are left to user space. Twice as many comparisons reach their answers without
// detours (a conditional jump spans 255 instructions), and eight questions stay well under the kernel's 4,096.
const MAX_RANGES = 96;

// A host with more addresses than this of one family has packets to others sorted out in user space.
const MAX_ADDRESSES = 64;

// Listeners on single addresses per question; five instructions each at the most, and one per port.
const MAX_PAIRS = 24;

const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd, vlan: 0x8100, qinq: 0x88a8 } as const;
const ARPHRD_LOOPBACK = 772;
const PACKET_OUTGOING = 4;
const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMP6 = 58;
const SCTP = 132;
// Tunnels and routing protocols that a host may well speak and that carry no ports: IGMP, IPIP, IPv6-in-IP, GRE, ESP,
// AH, EIGRP, OSPF, PIM, VRRP (IANA protocol numbers).
const QUIET_PROTOCOLS = [2, 4, 41, 47, 50, 51, 88, 89, 103, 112];
const QUIET_PROTOCOLS6 = [4, 41, 47, 50, 88, 89, 103, 112];

/**
 * The filter for what is ordinary now.
 * @returns struct sock_filter instructions, 8 bytes each
 */
export function packetFilter(options: FilterOptions): Uint8Array {
  const p = new BpfProgram();
  const { ordinary } = options;
  if (options.interfaces !== null) {
    p.loadWord(ANCILLARY.interfaceIndex);
    for (const index of options.interfaces) p.ifEqual(index, "listened", null);
    p.jump("drop");
    p.label("listened");
  }
  if (!options.loopback) {
    p.loadWord(ANCILLARY.hardware);
    p.ifEqual(ARPHRD_LOOPBACK, "drop", null);
  }
  p.loadWord(ANCILLARY.packetType);
  p.ifEqual(PACKET_OUTGOING, "sent", null);
  // Broadcast, multicast and packets for other machines are nobody's probe of this host.
  p.ifGreater(0, "drop", null);

  p.loadWord(ANCILLARY.protocol);
  p.ifEqual(ETHERTYPE.ipv4, "ipv4", null);
  p.ifEqual(ETHERTYPE.ipv6, "ipv6", null);
  p.ifEqual(ETHERTYPE.vlan, "tagged", null);
  p.ifEqual(ETHERTYPE.qinq, "tagged", "drop");
  p.label("tagged");
  p.loadHalf(2);
  p.ifEqual(ETHERTYPE.ipv4, "tagged4", null);
  p.ifEqual(ETHERTYPE.ipv6, "tagged6", "drop");

  writeIpv4(p, "ipv4", 0, ordinary);
  writeIpv6(p, "ipv6", 0, ordinary);
  // Behind a second tag the questions about ports are left to user space: half the program, for traffic that is rare.
  writeIpv4(p, "tagged4", 4, null);
  writeIpv6(p, "tagged6", 4, null);
  writeSent(p, ordinary);

  // Successes matter too, but of a busy service a sample tells enough.
  p.label("open");
  p.loadWord(ANCILLARY.random);
  p.and(ordinary.openOneIn - 1);
  p.ifEqual(0, "keep", null);
  p.label("drop");
  p.accept(0);
  p.label("keep");
  p.accept(KEEP_BYTES);
  return p.assemble();
}

function writeIpv4(p: BpfProgram, name: string, base: number, ordinary: Ordinary | null): void {
  p.label(name);
  p.loadHalf(base + 6);
  // Later fragments carry no ports; the first one has told all there is.
  p.ifAnyBit(0x1fff, "drop", null);
  writeMuted(p, base + 12, 4, ordinary);
  writeAddresses4(p, base + 16, ordinary);
  p.loadXHeaderLength(base);
  p.loadByte(base + 9);
  p.ifEqual(TCP, `${name}.tcp`, null);
  p.ifEqual(UDP, `${name}.udp`, null);
  p.ifEqual(ICMP, `${name}.icmp`, null);
  p.ifEqual(SCTP, `${name}.sctp`, null);
  for (const protocol of QUIET_PROTOCOLS) p.ifEqual(protocol, "drop", null);
  p.jump("keep");

  p.label(`${name}.tcp`);
  p.loadHalf(base + 2);
  p.subtractX();
  // A first fragment without the flags (RFC 1858) is kept; so is a length that goes below zero, absurd as it is.
  p.ifAtLeast(20, null, "keep");
  writeFlags(p, () => p.loadByteX(base + 13), {
    port: () => p.loadHalfX(base + 2),
    openAt: (inside, outside) => writePairs4(p, base, ordinary?.openAt.tcp4 ?? [], inside, outside),
    open: ordinary?.open.tcp4 ?? null,
    busy: ordinary?.busy.tcp4 ?? null,
    ephemeral: ordinary?.ephemeral ?? null,
  });

  p.label(`${name}.udp`);
  p.loadHalf(base + 2);
  p.subtractX();
  p.ifAtLeast(8, null, "keep");
  p.loadHalfX(base + 2);
  writeRanges(p, ordinary?.open.udp4 ?? [], "drop", `${name}.udp.at`);
  p.label(`${name}.udp.at`);
  writePairs4(p, base, ordinary?.openAt.udp4 ?? [], "drop", "keep");

  p.label(`${name}.icmp`);
  p.loadByteX(base);
  // Echo, timestamp and address mask requests; replies and errors are noise.
  for (const type of [8, 13, 17]) p.ifEqual(type, "keep", null);
  p.jump("drop");

  p.label(`${name}.sctp`);
  p.loadByteX(base + 12);
  writeSctp(p);
}

function writeIpv6(p: BpfProgram, name: string, base: number, ordinary: Ordinary | null): void {
  p.label(name);
  writeMuted(p, base + 8, 6, ordinary);
  writeAddresses6(p, base + 24, ordinary);
  p.loadByte(base + 6);
  p.ifEqual(TCP, `${name}.tcp`, null);
  p.ifEqual(UDP, `${name}.udp`, null);
  p.ifEqual(ICMP6, `${name}.icmp`, null);
  p.ifEqual(SCTP, `${name}.sctp`, null);
  for (const protocol of QUIET_PROTOCOLS6) p.ifEqual(protocol, "drop", null);
  // Extension headers are rare and need a loop, which BPF has not.
  p.jump("keep");

  p.label(`${name}.tcp`);
  p.loadHalf(base + 4);
  p.ifAtLeast(20, null, "keep");
  writeFlags(p, () => p.loadByte(base + 53), {
    port: () => p.loadHalf(base + 42),
    openAt: (inside, outside) => writePairs6(p, base, ordinary?.openAt.tcp6 ?? [], inside, outside),
    open: ordinary?.open.tcp6 ?? null,
    busy: ordinary?.busy.tcp6 ?? null,
    ephemeral: ordinary?.ephemeral ?? null,
  });

  p.label(`${name}.udp`);
  p.loadHalf(base + 4);
  p.ifAtLeast(8, null, "keep");
  p.loadHalf(base + 42);
  writeRanges(p, ordinary?.open.udp6 ?? [], "drop", `${name}.udp.at`);
  p.label(`${name}.udp.at`);
  writePairs6(p, base, ordinary?.openAt.udp6 ?? [], "drop", "keep");

  p.label(`${name}.icmp`);
  p.loadByte(base + 40);
  p.ifEqual(128, "keep", "drop");

  p.label(`${name}.sctp`);
  p.loadByte(base + 52);
  writeSctp(p);
}

/** Blocked sources that go on all the same: the firewall drops and counts them, and nobody else need look. */
function writeMuted(p: BpfProgram, at: number, family: 4 | 6, ordinary: Ordinary | null): void {
  for (const { words, bits } of (ordinary?.muted ?? []).filter((one) => one.family === family)) {
    const next = p.fresh();
    for (let word = bits / 32 - 1; word >= 0; word--) {
      p.loadWord(at + word * 4);
      p.ifEqual(words[word]!, word === 0 ? "drop" : null, next);
    }
    p.label(next);
  }
}

/** On a router most packets are for others; they stay with the kernel. */
function writeAddresses4(p: BpfProgram, at: number, ordinary: Ordinary | null): void {
  const ours = ordinary?.addresses?.ipv4;
  if (ours === undefined || ours.length > MAX_ADDRESSES) return;
  const isOurs = p.fresh();
  p.loadWord(at);
  for (const address of ours) p.ifEqual(address, isOurs, null);
  p.jump("drop");
  p.label(isOurs);
}

function writeAddresses6(p: BpfProgram, at: number, ordinary: Ordinary | null): void {
  const ours = ordinary?.addresses?.ipv6;
  if (ours === undefined || ours.length > MAX_ADDRESSES) return;
  const isOurs = p.fresh();
  for (const address of ours) {
    const next = p.fresh();
    // The last word tells most apart.
    for (const word of [3, 2, 1, 0]) {
      p.loadWord(at + word * 4);
      p.ifEqual(address[word]!, word === 0 ? isOurs : null, next);
    }
    p.label(next);
  }
  p.jump("drop");
  p.label(isOurs);
}

type TcpQuestions = {
  port: () => void;
  openAt: (inside: string, outside: string) => void;
  open: readonly PortRange[] | null;
  busy: readonly PortRange[] | null;
  ephemeral: PortRange | null;
};

/** SYN to a port that is not open, ACK to a port that is not busy, and every combination that no stack sends. */
function writeFlags(p: BpfProgram, loadFlags: () => void, questions: TcpQuestions): void {
  const established = p.fresh();
  const syn = p.fresh();
  loadFlags();
  // FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32. Most packets are plain traffic: they are asked first.
  p.and(0x16);
  p.ifEqual(0x10, established, null);
  // Answers to our own SYN, or to one that somebody sent in our name.
  p.ifEqual(0x12, "drop", null);
  p.ifEqual(0x04, "drop", null);
  p.ifEqual(0x14, "drop", null);
  loadFlags();
  p.and(0x3f);
  p.ifEqual(0x02, syn, "keep");

  p.label(syn);
  questions.port();
  const at = p.fresh();
  writeRanges(p, questions.open ?? [], "open", at);
  p.label(at);
  questions.openAt("open", "keep");

  p.label(established);
  if (questions.busy === null || questions.ephemeral === null) p.jump("drop");
  else {
    questions.port();
    writeRanges(p, mergeRanges([...questions.busy, questions.ephemeral]), "drop", "keep");
  }
}

/** INIT, and COOKIE ECHO, which is also used to scan (RFC 9260). */
function writeSctp(p: BpfProgram): void {
  p.ifEqual(1, "keep", null);
  p.ifEqual(10, "keep", "drop");
}

/**
 * Of what this host sends: datagrams from ports that are not open, because the answers to them are no probes, and
 * SYN|ACKs from ports that nothing here listens on, because somebody behind an address translation does.
 */
function writeSent(p: BpfProgram, ordinary: Ordinary): void {
  p.label("sent");
  p.loadWord(ANCILLARY.protocol);
  p.ifEqual(ETHERTYPE.ipv4, "sent4", null);
  p.ifEqual(ETHERTYPE.ipv6, "sent6", "drop");

  p.label("sent4");
  p.loadHalf(6);
  p.ifAnyBit(0x1fff, "drop", null);
  p.loadXHeaderLength(0);
  p.loadByte(9);
  p.ifEqual(TCP, "sent4.tcp", null);
  p.ifEqual(UDP, null, "drop");
  p.loadHalfX(0);
  writeRanges(p, ordinary.open.udp4, "drop", "keep");
  p.label("sent4.tcp");
  p.loadByteX(13);
  p.and(0x17);
  p.ifEqual(0x12, null, "drop");
  p.loadHalfX(0);
  writeRanges(p, ordinary.open.tcp4, "drop", "keep");

  p.label("sent6");
  p.loadByte(6);
  p.ifEqual(TCP, "sent6.tcp", null);
  p.ifEqual(UDP, null, "drop");
  p.loadHalf(40);
  writeRanges(p, ordinary.open.udp6, "drop", "keep");
  p.label("sent6.tcp");
  p.loadByte(53);
  p.and(0x17);
  p.ifEqual(0x12, null, "drop");
  p.loadHalf(40);
  writeRanges(p, ordinary.open.tcp6, "drop", "keep");
}

/** Listeners on one IPv4 address each; A is clobbered, X still holds the header's length. */
function writePairs4(
  p: BpfProgram,
  base: number,
  pairs: Ordinary["openAt"]["tcp4"],
  inside: string,
  outside: string,
): void {
  for (const [address, ports] of portsByAddress(pairs.map(([word, port]) => [[word], port]))) {
    const next = p.fresh();
    p.loadWord(base + 16);
    p.ifEqual(address[0]!, null, next);
    p.loadHalfX(base + 2);
    for (const port of ports) p.ifEqual(port, inside, null);
    p.jump(outside);
    p.label(next);
  }
  p.jump(outside);
}

function writePairs6(
  p: BpfProgram,
  base: number,
  pairs: Ordinary["openAt"]["tcp6"],
  inside: string,
  outside: string,
): void {
  for (const [address, ports] of portsByAddress(pairs)) {
    const next = p.fresh();
    for (const word of [3, 2, 1, 0]) {
      p.loadWord(base + 24 + word * 4);
      p.ifEqual(address[word]!, null, next);
    }
    p.loadHalf(base + 42);
    for (const port of ports) p.ifEqual(port, inside, null);
    p.jump(outside);
    p.label(next);
  }
  p.jump(outside);
}

function portsByAddress(
  pairs: readonly (readonly [address: readonly number[], port: number])[],
): [readonly number[], number[]][] {
  const out = new Map<string, [readonly number[], number[]]>();
  for (const [address, port] of pairs.slice(0, MAX_PAIRS)) {
    const key = String(address);
    if (!out.has(key)) out.set(key, [address, []]);
    out.get(key)![1].push(port);
  }
  return [...out.values()];
}

/** A balanced tree of comparisons of the accumulator with sorted ranges. */
function writeRanges(p: BpfProgram, ranges: readonly PortRange[], inside: string, outside: string): void {
  const bounds: number[] = [];
  for (const [first, last] of mergeRanges(ranges).slice(0, MAX_RANGES)) bounds.push(first, last + 1);
  const [within, without] = [p.fresh(), p.fresh()];
  // A port is inside when an odd number of bounds lies at or below it.
  const leaf = (below: number): string => (below % 2 === 1 ? within : without);
  const write = (low: number, high: number): void => {
    const middle = (low + high) >>> 1;
    const isRightLeaf = middle + 1 === high;
    const right = isRightLeaf ? leaf(high) : p.fresh();
    p.ifAtLeast(bounds[middle]!, right, low === middle ? leaf(low) : null);
    if (low < middle) write(low, middle);
    if (isRightLeaf) return;
    p.label(right);
    write(middle + 1, high);
  };
  if (bounds.length > 0) write(0, bounds.length);
  p.label(without);
  p.jump(outside);
  p.label(within);
  p.jump(inside);
}

/** Sorted, without overlaps; neighbours become one. */
export function mergeRanges(ranges: readonly PortRange[]): PortRange[] {
  const out: PortRange[] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const before = out.at(-1);
    if (before !== undefined && first <= before[1] + 1) {
      if (last > before[1]) out[out.length - 1] = [before[0], last];
    } else out.push([first, last]);
  }
  return out;
}
