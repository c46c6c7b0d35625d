// Turns bytes from strangers into a packet, or into a reason why not. No length that a packet claims is believed before
// it is compared with the bytes that are there. Formats: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768
// (UDP), RFC 9260 (SCTP), IEEE 802.1Q (VLAN tags).
import type { Frame, Packet } from "./types.ts";

/** Why a frame was not decoded; each reason has a counter. */
export const REFUSALS = [
  "",
  "not ip",
  "truncated",
  "bad length",
  "later fragment",
  "too many headers",
  "bad header",
] as const;

const FINE = 0;
const NOT_IP = 1;
const TRUNCATED = 2;
const BAD_LENGTH = 3;
const LATER_FRAGMENT = 4;
const TOO_MANY_HEADERS = 5;
const BAD_HEADER = 6;

// A tag in a tag in a tag does not happen; whoever sends it gets no loop.
const MAX_TAGS = 3;
// RFC 8200 knows six extension headers, each at most twice.
const MAX_EXTENSIONS = 12;

/** A packet to be filled. */
export function emptyPacket(): Packet {
  return {
    family: 4,
    source0: 0,
    source1: 0,
    source2: 0,
    source3: 0,
    target0: 0,
    target1: 0,
    target2: 0,
    target3: 0,
    protocol: 0,
    sourcePort: 0,
    targetPort: 0,
    flags: 0,
    hops: 0,
    window: 0,
    tiny: false,
    options: false,
    sent: false,
    // With a fraction, as times of packets have: the runtime would make another kind of object of it at the first one.
    atMs: 0.5,
    interfaceIndex: 0,
    networkAt: 0,
    transportAt: 0,
    payloadBytes: 0,
    hint: 0,
  };
}

/**
 * Fills `packet` from the frame.
 * @returns 0, or the index into REFUSALS that says why there is no packet
 */
export function decode(frame: Frame, packet: Packet): number {
  packet.sent = frame.direction === 4;
  packet.atMs = frame.atMs;
  packet.interfaceIndex = frame.interfaceIndex;
  packet.sourcePort = 0;
  packet.targetPort = 0;
  packet.flags = 0;
  packet.window = 0;
  packet.hint = 0;
  packet.tiny = false;
  packet.options = false;
  let type = frame.etherType;
  let at = frame.start;
  for (let tags = 0; type === 0x8100 || type === 0x88a8; tags++) {
    if (tags === MAX_TAGS) return TOO_MANY_HEADERS;
    if (at + 4 > frame.end) return TRUNCATED;
    type = half(frame.bytes, at + 2);
    at += 4;
  }
  const wireEnd = frame.start + Math.max(frame.wireLength, frame.end - frame.start);
  const refusal = decodeNetwork(type, frame.bytes, at, frame.end, wireEnd, packet);
  if ((refusal !== BAD_HEADER && refusal !== BAD_LENGTH) || at + 8 > frame.end) return refusal;
  // Since 6.10 the kernel names the innermost type while a second tag still stands in front of it.
  const inner = half(frame.bytes, at + 2);
  if (inner !== 0x0800 && inner !== 0x86dd) return refusal;
  return decodeNetwork(inner, frame.bytes, at + 4, frame.end, wireEnd, packet) === FINE ? FINE : refusal;
}

function decodeNetwork(
  type: number,
  b: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  packet: Packet,
): number {
  if (type === 0x0800) return decodeIpv4(b, at, end, wireEnd, packet);
  if (type === 0x86dd) return decodeIpv6(b, at, end, wireEnd, packet);
  return NOT_IP;
}

function decodeIpv4(b: Uint8Array, at: number, end: number, wireEnd: number, packet: Packet): number {
  if (at + 20 > end) return TRUNCATED;
  const first = b[at]!;
  if (first >>> 4 !== 4) return BAD_HEADER;
  const headerLength = (first & 0x0f) * 4;
  const totalLength = half(b, at + 2);
  if (headerLength < 20) return BAD_HEADER;
  if (totalLength < headerLength || at + totalLength > wireEnd) return BAD_LENGTH;
  const fragment = half(b, at + 6);
  packet.family = 4;
  packet.networkAt = at;
  packet.options = headerLength > 20;
  packet.source0 = word(b, at + 12);
  packet.target0 = word(b, at + 16);
  packet.source1 = packet.source2 = packet.source3 = 0;
  packet.target1 = packet.target2 = packet.target3 = 0;
  packet.hops = b[at + 8]!;
  packet.protocol = b[at + 9]!;
  if ((fragment & 0x1fff) !== 0) return LATER_FRAGMENT;
  const moreFragments = (fragment & 0x2000) !== 0;
  const claimedEnd = at + totalLength;
  return decodeTransport(b, at + headerLength, end, claimedEnd, moreFragments, packet);
}

function decodeIpv6(b: Uint8Array, at: number, end: number, wireEnd: number, packet: Packet): number {
  if (at + 40 > end) return TRUNCATED;
  if (b[at]! >>> 4 !== 6) return BAD_HEADER;
  const payload = half(b, at + 4);
  const claimedEnd = at + 40 + payload;
  if (claimedEnd > wireEnd) return BAD_LENGTH;
  packet.family = 6;
  packet.networkAt = at;
  packet.source0 = word(b, at + 8);
  packet.source1 = word(b, at + 12);
  packet.source2 = word(b, at + 16);
  packet.source3 = word(b, at + 20);
  packet.target0 = word(b, at + 24);
  packet.target1 = word(b, at + 28);
  packet.target2 = word(b, at + 32);
  packet.target3 = word(b, at + 36);
  packet.hops = b[at + 7]!;
  let next = b[at + 6]!;
  let moreFragments = false;
  at += 40;
  for (let count = 0; isExtension(next); count++) {
    packet.protocol = next;
    if (count === MAX_EXTENSIONS) return TOO_MANY_HEADERS;
    if (at + 8 > claimedEnd) return BAD_LENGTH;
    if (at + 8 > end) return TRUNCATED;
    if (next === 44) {
      const fragment = half(b, at + 2);
      if ((fragment & 0xfff8) !== 0) return LATER_FRAGMENT;
      moreFragments = (fragment & 1) !== 0;
      next = b[at]!;
      at += 8;
    } else {
      // The authentication header counts in words of four bytes and leaves out two; the others in eights, less one.
      const length = next === 51 ? (b[at + 1]! + 2) * 4 : (b[at + 1]! + 1) * 8;
      next = b[at]!;
      at += length;
      if (at > claimedEnd) return BAD_LENGTH;
    }
  }
  packet.protocol = next;
  return decodeTransport(b, at, end, claimedEnd, moreFragments, packet);
}

/** Hop-by-hop, routing, fragment, authentication, destination, mobility, HIP, Shim6 (IANA IPv6 extension headers). */
function isExtension(next: number): boolean {
  return (
    next === 0 ||
    next === 43 ||
    next === 44 ||
    next === 51 ||
    next === 60 ||
    next === 135 ||
    next === 139 ||
    next === 140
  );
}

function decodeTransport(
  b: Uint8Array,
  at: number,
  end: number,
  claimedEnd: number,
  moreFragments: boolean,
  packet: Packet,
): number {
  const claimed = claimedEnd - at;
  const kept = Math.min(end, claimedEnd) - at;
  packet.transportAt = at;
  packet.payloadBytes = claimed;
  switch (packet.protocol) {
    case 6:
      if (claimed < 20) {
        // Only the first of several fragments can be this short on purpose: it hides what follows from filters.
        if (!moreFragments) return BAD_LENGTH;
        if (kept < 4) return TRUNCATED;
        packet.tiny = true;
        packet.sourcePort = half(b, at);
        packet.targetPort = half(b, at + 2);
        if (kept >= 14) packet.flags = b[at + 13]!;
        return FINE;
      }
      if (kept < 20) return TRUNCATED;
      if (b[at + 12]! >>> 4 < 5) return BAD_HEADER;
      packet.sourcePort = half(b, at);
      packet.targetPort = half(b, at + 2);
      packet.flags = b[at + 13]!;
      packet.window = half(b, at + 14);
      return FINE;
    case 17:
      if (claimed < 8) return BAD_LENGTH;
      if (kept < 8) return TRUNCATED;
      packet.sourcePort = half(b, at);
      packet.targetPort = half(b, at + 2);
      return FINE;
    case 132:
      if (claimed < 16) return BAD_LENGTH;
      if (kept < 16) return TRUNCATED;
      packet.sourcePort = half(b, at);
      packet.targetPort = half(b, at + 2);
      packet.flags = b[at + 12]!;
      return FINE;
    case 1:
    case 58:
      if (claimed < 4) return BAD_LENGTH;
      if (kept < 4) return TRUNCATED;
      packet.flags = b[at]!;
      return FINE;
    default:
      return FINE;
  }
}

function half(b: Uint8Array, at: number): number {
  return (b[at]! << 8) | b[at + 1]!;
}

/** Signed: numbers above 2^31 would be objects on the heap, one for each use. */
function word(b: Uint8Array, at: number): number {
  return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
}
