// Reads from a capture at the stranger's end what a guard could have seen of each source, and when: the different ports
// (or protocols) that it had tried by then.
import { readFileSync } from "node:fs";

/** One packet towards the host. */
export type Arrival = {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly source: string;
  /** Protocol and port, or the protocol alone where it has no ports. */
  readonly what: string;
};

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const RST = 0x04;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const HEADER = 14;

/**
 * First fragments and whole packets of a capture in pcap format over Ethernet (draft-ietf-opsawg-pcap). Resets are left
 * out: a scanner's own kernel sends them when an open port answers.
 * @throws Error when the file is no such capture
 */
export function readArrivals(path: string): Arrival[] {
  const file = readFileSync(path);
  if (file.length < 24 || file.readUInt32LE(0) !== 0xa1b2c3d4 || file.readUInt32LE(20) !== 1)
    throw new Error(`${path}: wants a little-endian pcap file of Ethernet frames with microseconds`);
  const arrivals: Arrival[] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const captured = file.readUInt32LE(at + 8);
    const atMs = file.readUInt32LE(at) * 1e3 + file.readUInt32LE(at + 4) / 1e3;
    const read = readFrame(file.subarray(at + 16, at + 16 + captured));
    at += 16 + captured;
    if (read !== null) arrivals.push({ atMs, ...read });
  }
  return arrivals;
}

function readFrame(frame: Buffer): Omit<Arrival, "atMs"> | null {
  const type = frame.length < HEADER + 20 ? 0 : frame.readUInt16BE(12);
  if (type === IPV4) {
    if ((frame.readUInt16BE(HEADER + 6) & 0x1fff) !== 0) return null; // RFC 791: not the first fragment
    const source = [...frame.subarray(HEADER + 12, HEADER + 16)].join(".");
    return readTransport(frame, HEADER + (frame[HEADER]! & 0x0f) * 4, frame[HEADER + 9]!, source);
  }
  if (type === IPV6 && frame.length >= HEADER + 40) {
    const words = Array.from({ length: 8 }, (_, word) => frame.readUInt16BE(HEADER + 8 + 2 * word));
    return readTransport(
      frame,
      HEADER + 40,
      frame[HEADER + 6]!,
      words.map((word) => word.toString(16)).join(":"),
    );
  }
  return null;
}

function readTransport(
  frame: Buffer,
  at: number,
  protocol: number,
  source: string,
): Omit<Arrival, "atMs"> | null {
  const hasPorts = protocol === TCP || protocol === UDP || protocol === SCTP;
  if (!hasPorts || frame.length < at + 4) return { source, what: String(protocol) };
  // Eight bytes of a TCP header may be all that a fragment holds.
  const flags = protocol === TCP && frame.length >= at + 14 ? frame[at + 13]! : 0;
  const isReset = (flags & RST) !== 0 && (flags & ~(RST | 0x10)) === 0;
  return isReset ? null : { source, what: `${protocol}/${frame.readUInt16BE(at + 2)}` };
}

export type Noticed = {
  /** Different ports in all. */
  readonly sent: number;
  /** Those ports, in the order in which they were first tried. */
  readonly order: readonly string[];
  /** Different ports on the wire when the alarm came; null without an alarm. */
  readonly until: number | null;
  /** From the last packet to an alarm that came after it. */
  readonly lateMs: number;
};

/** How much of what one source sent was on the wire at the first alarm. `alarmAtMs`: milliseconds since the epoch. */
export function whenNoticed(arrivals: readonly Arrival[], alarmAtMs: number | null): Noticed {
  const all = new Set<string>();
  const early = new Set<string>();
  let lastMs = 0;
  for (const { atMs, what } of arrivals) {
    all.add(what);
    lastMs = Math.max(lastMs, atMs);
    if (alarmAtMs !== null && atMs <= alarmAtMs) early.add(what);
  }
  // A clock that is read in whole milliseconds may seem to run behind the packet that it speaks of.
  const until = alarmAtMs === null ? null : Math.max(1, early.size);
  const lateMs = alarmAtMs === null ? 0 : Math.max(0, alarmAtMs - lastMs);
  return { sent: all.size, order: [...all], until, lateMs };
}

// What a packet of these protocols reaches is there on any host: ICMP, TCP, UDP, ICMPv6 (IANA protocol numbers).
const SERVED_PROTOCOLS = ["1", "6", "17", "58"];

/** Whether nothing of the host takes what was tried, in the words of `readArrivals`. `open`: its TCP ports with a service. */
export function isUnused(what: string, open: readonly number[]): boolean {
  const [protocol, port] = what.split("/");
  if (port === undefined) return !SERVED_PROTOCOLS.includes(protocol!);
  return Number(protocol) !== TCP || !open.includes(Number(port));
}

/** How many different ports had been tried when the `k`-th different unused one was; all of them where there were fewer. */
export function untilUnused(order: readonly string[], open: readonly number[], k: number): number {
  let unused = 0;
  for (const [index, what] of order.entries()) if (isUnused(what, open) && ++unused === k) return index + 1;
  return order.length;
}
