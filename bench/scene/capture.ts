// Reads from a capture on the scanner's side what a scan learned, whoever guarded the host: which ports answered, when,
// and how many would have answered had the guard acted at the very packet that gave the scanner away.
import { readFileSync } from "node:fs";

/** A TCP segment between a scanner and the host. `atMs` counts from the first packet. */
export type Segment = {
  readonly atMs: number;
  readonly fromHost: boolean;
  /** The other side's IPv4 address as a number. */
  readonly peer: number;
  /** The host's port. */
  readonly port: number;
  readonly flags: number;
};

const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/**
 * The TCP segments of a capture in pcap format over Ethernet (draft-ietf-opsawg-pcap), IPv4 only, to or from `host`.
 * @throws Error when the file is no such capture
 */
export function readSegments(path: string, host: string): Segment[] {
  const file = readFileSync(path);
  const magic = file.length < 24 ? 0 : file.readUInt32LE(0);
  if ((magic !== 0xa1b2c3d4 && magic !== 0xa1b23c4d) || file.readUInt32LE(20) !== 1)
    throw new Error(`${path}: wants a little-endian pcap file of Ethernet frames`);
  const fractionsPerMs = magic === 0xa1b23c4d ? 1e6 : 1e3;
  const hostAddress = Buffer.from(host.split(".").map(Number));
  const segments: Segment[] = [];
  let beganMs: number | null = null;
  for (let at = 24; at + 16 <= file.length; ) {
    const captured = file.readUInt32LE(at + 8);
    const stampMs = file.readUInt32LE(at) * 1e3 + file.readUInt32LE(at + 4) / fractionsPerMs;
    const frame = file.subarray(at + 16, at + 16 + captured);
    at += 16 + captured;
    const segment = readSegment(frame, hostAddress);
    if (segment === null) continue;
    beganMs ??= stampMs;
    segments.push({ atMs: stampMs - beganMs, ...segment });
  }
  return segments;
}

// Offsets: IEEE 802.3 header of 14 bytes, IPv4 header (RFC 791), TCP header (RFC 9293).
function readSegment(frame: Buffer, host: Buffer): Omit<Segment, "atMs"> | null {
  if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 6) return null;
  const tcp = 14 + (frame[14]! & 0x0f) * 4;
  if (frame.length < tcp + 14) return null;
  const fromHost = frame.subarray(26, 30).equals(host);
  if (!fromHost && !frame.subarray(30, 34).equals(host)) return null;
  return {
    fromHost,
    peer: frame.readUInt32BE(fromHost ? 30 : 26),
    port: frame.readUInt16BE(tcp + (fromHost ? 0 : 2)),
    flags: frame[tcp + 13]!,
  };
}

export type Learned = {
  /** Open ports that answered. */
  readonly learned: number;
  /** Ports that answered at all, open or closed. */
  readonly answered: number;
  /** From the first probe to the last port that answered for the first time. */
  readonly untilSilentMs: number;
  /** The same from the `k`-th distinct closed port; 0 when the host fell silent before it. */
  readonly afterKthMs: number;
  /** Open ports probed before the `k`-th distinct closed one: what no guard with that threshold can withhold. */
  readonly oracle: number;
  readonly probes: number;
};

/** What a scan by SYN learned. `open` are the ports that have a listener. */
export function whatWasLearned(segments: readonly Segment[], open: ReadonlySet<number>, k: number): Learned {
  const answeredAt = new Map<number, number>();
  const openBefore = new Set<number>();
  const closed = new Set<number>();
  let kthAtMs: number | null = null;
  let probes = 0;
  for (const { atMs, fromHost, port, flags } of segments) {
    if (fromHost) {
      // A host that waits for the scanner's last word repeats its own; only the first time teaches anything.
      const isAnswer = (flags & (SYN | ACK)) === (SYN | ACK) || (flags & RST) !== 0;
      if (isAnswer && !answeredAt.has(port)) answeredAt.set(port, atMs);
    } else if ((flags & (SYN | ACK | RST)) === SYN) {
      probes++;
      if (open.has(port)) {
        if (kthAtMs === null) openBefore.add(port);
      } else {
        closed.add(port);
        if (closed.size >= k) kthAtMs ??= atMs;
      }
    }
  }
  const lastAtMs = Math.max(0, ...answeredAt.values());
  return {
    learned: [...answeredAt.keys()].filter((port) => open.has(port)).length,
    answered: answeredAt.size,
    untilSilentMs: lastAtMs,
    afterKthMs: kthAtMs === null ? 0 : Math.max(0, lastAtMs - kthAtMs),
    oracle: openBefore.size,
    probes,
  };
}

/**
 * For each source of a capture: milliseconds from its `k`-th distinct port to the last answer that it got, all of its
 * ports being closed; 0 where the host fell silent before that. Sources that sent fewer ports are left out.
 */
export function silenceAfterKth(segments: readonly Segment[], k: number): number[] {
  type Source = { ports: Set<number>; kthAtMs: number | null; lastAtMs: number; answered: Set<number> };
  const sources = new Map<number, Source>();
  for (const { atMs, fromHost, peer, port, flags } of segments) {
    let source = sources.get(peer);
    if (source === undefined) {
      source = { ports: new Set(), kthAtMs: null, lastAtMs: 0, answered: new Set() };
      sources.set(peer, source);
    }
    if (!fromHost && (flags & (SYN | ACK | RST)) === SYN) {
      source.ports.add(port);
      if (source.ports.size >= k) source.kthAtMs ??= atMs;
    } else if (fromHost && (flags & RST) !== 0 && !source.answered.has(port)) {
      source.answered.add(port);
      source.lastAtMs = atMs;
    }
  }
  return [...sources.values()].flatMap(({ kthAtMs, lastAtMs }) =>
    kthAtMs === null ? [] : [Math.max(0, lastAtMs - kthAtMs)],
  );
}
