// Takes the link header off a recorded packet, as the kernel does for live ones. Numbers are the LINKTYPE_ values of
// tcpdump.org's registry; 12 and 14 are what raw IP is called in older files.

/** Where the network layer stands; `direction` as in packet(7). */
export type Peeled = { start: number; etherType: number; direction: number };

export const LINKTYPE = {
  null: 0,
  ethernet: 1,
  ppp: 9,
  rawBsd: 12,
  rawOpenBsd: 14,
  raw: 101,
  loop: 108,
  cooked: 113,
  ipv4: 228,
  ipv6: 229,
  cooked2: 276,
} as const;

const KNOWN: ReadonlySet<number> = new Set(Object.values(LINKTYPE));

export function isKnownLink(linkType: number): boolean {
  return KNOWN.has(linkType);
}

/** Null for a link type that is not known, or a packet shorter than its link header. */
export function peel(bytes: Uint8Array, linkType: number): Peeled | null {
  switch (linkType) {
    case LINKTYPE.ethernet: {
      if (bytes.length < 14) return null;
      const isGroup = (bytes[0]! & 1) !== 0;
      const isAll = isGroup && bytes.subarray(0, 6).every((byte) => byte === 0xff);
      return { start: 14, etherType: half(bytes, 12), direction: isAll ? 1 : isGroup ? 2 : 0 };
    }
    case LINKTYPE.ppp:
      return byPppProtocol(bytes);
    case LINKTYPE.rawBsd:
    case LINKTYPE.rawOpenBsd:
    case LINKTYPE.raw:
    case LINKTYPE.ipv4:
    case LINKTYPE.ipv6:
      return byVersion(bytes, 0);
    case LINKTYPE.null:
    case LINKTYPE.loop:
      return byVersion(bytes, 4);
    case LINKTYPE.cooked:
      if (bytes.length < 16) return null;
      return { start: 16, etherType: half(bytes, 14), direction: half(bytes, 0) };
    case LINKTYPE.cooked2:
      if (bytes.length < 20) return null;
      return { start: 20, etherType: half(bytes, 0), direction: bytes[10]! };
    default:
      return null;
  }
}

function byVersion(bytes: Uint8Array, start: number): Peeled | null {
  if (bytes.length <= start) return null;
  const version = bytes[start]! >>> 4;
  if (version !== 4 && version !== 6) return null;
  return { start, etherType: version === 4 ? 0x0800 : 0x86dd, direction: 0 };
}

/** RFC 1661, section 2: the protocol in two bytes, behind address and control (RFC 1662) unless they were agreed away. */
function byPppProtocol(bytes: Uint8Array): Peeled | null {
  const at = bytes[0] === 0xff && bytes[1] === 0x03 ? 2 : 0;
  if (bytes.length < at + 2) return null;
  const protocol = half(bytes, at);
  const etherType = protocol === 0x0021 ? 0x0800 : protocol === 0x0057 ? 0x86dd : 0;
  return { start: at + 2, etherType, direction: 0 };
}

function half(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
