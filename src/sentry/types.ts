// The shapes that the sentry's files hand to each other. Numbers stand for kinds and protocols on the way of a packet,
// because a flood passes there; names appear only in what is told to people.
import type { ProbeKind } from "../core/events.ts";

/** Where a packet lies: the network layer at `bytes[start..end)`. Nothing of it may be kept. */
export type Frame = {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Length on the wire from `start` on; more than `end - start` when only a part was kept. */
  readonly wireLength: number;
  /** What stands at `start`: 0x0800 IPv4, 0x86dd IPv6, 0x8100 or 0x88a8 a VLAN tag's two bytes and the next type. */
  readonly etherType: number;
  readonly interfaceIndex: number;
  /** 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 sent by us (packet(7)). */
  readonly direction: number;
  /** Wall clock, milliseconds since 1970. */
  readonly atMs: number;
};

/** A decoded packet. One object is filled again and again. */
export type Packet = {
  family: 4 | 6;
  /**
   * Addresses as 32-bit words in host order; IPv4 uses the first word only, the others are 0. They may be signed or not:
   * compare them with `| 0` on both sides.
   */
  source0: number;
  source1: number;
  source2: number;
  source3: number;
  target0: number;
  target1: number;
  target2: number;
  target3: number;
  /** IANA protocol number behind all extension headers. */
  protocol: number;
  /** 0 where the protocol has no ports. */
  sourcePort: number;
  targetPort: number;
  /** TCP flags FIN 1 … CWR 128; for ICMP the type, for SCTP the first chunk's type. */
  flags: number;
  /** Time to live or hop limit, as it arrived. */
  hops: number;
  window: number;
  /** True for a first fragment too short to hold a TCP header (RFC 1858); its flags are 0 where they are not in it. */
  tiny: boolean;
  /** True for an IPv4 header with options. */
  options: boolean;
  sent: boolean;
  atMs: number;
  interfaceIndex: number;
  /** Where the network and the transport header begin in the frame's bytes. */
  networkAt: number;
  transportAt: number;
  /** Length of the transport header and what follows it, as the network header claims. */
  payloadBytes: number;
  /** Index into HINTS, filled in for probes that are kept. */
  hint: number;
};

/** Kinds by number, in the order of ProbeKind; index 0 means "no probe". */
export const KINDS: readonly (ProbeKind | "")[] = [
  "",
  "syn",
  "connect",
  "fin",
  "null",
  "xmas",
  "maimon",
  "ack",
  "flags",
  "udp",
  "sctp",
  "protocol",
  "ping",
];

export const KIND = {
  none: 0,
  syn: 1,
  connect: 2,
  fin: 3,
  null: 4,
  xmas: 5,
  maimon: 6,
  ack: 7,
  flags: 8,
  udp: 9,
  sctp: 10,
  protocol: 11,
  ping: 12,
} as const;

export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmp6: 58, sctp: 132 } as const;
