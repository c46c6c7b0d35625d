// Reads the kernel's socket tables, /proc/net/{tcp,tcp6,udp,udp6} (proc_net(5)). Pure, and by bytes: on a busy host
// these tables have a hundred thousand lines.

/** One socket. Addresses are words in host order; an IPv4-mapped IPv6 address comes as IPv4. */
export type SocketRow = {
  family: 4 | 6;
  local0: number;
  local1: number;
  local2: number;
  local3: number;
  localPort: number;
  remote0: number;
  remote1: number;
  remote2: number;
  remote3: number;
  remotePort: number;
  /** TCP_ESTABLISHED 1 … TCP_LISTEN 10 (net/tcp_states.h). */
  state: number;
};

export const LISTEN = 10;
export const ESTABLISHED = 1;

const NEWLINE = 10;
const COLON = 58;

/**
 * Calls `take` for each socket with one row that is filled again and again; `take` returns false to end. Lines that are
 * not understood are skipped and counted.
 * @param bytes the table, heading included, or a part of it that begins with a whole line
 * @returns lines skipped; the heading is not one
 */
export function parseSockets(bytes: Uint8Array, wide: boolean, take: (row: SocketRow) => boolean): number {
  const row: SocketRow = {
    family: wide ? 6 : 4,
    local0: 0,
    local1: 0,
    local2: 0,
    local3: 0,
    localPort: 0,
    remote0: 0,
    remote1: 0,
    remote2: 0,
    remote3: 0,
    remotePort: 0,
    state: 0,
  };
  const digits = wide ? 32 : 8;
  let skipped = 0;
  let lineStart = 0;
  while (lineStart < bytes.length) {
    let lineEnd = bytes.indexOf(NEWLINE, lineStart);
    if (lineEnd < 0) lineEnd = bytes.length;
    // "   0: 0100007F:1F90 00000000:0000 0A …": slot, local, remote, state.
    const local = bytes.indexOf(COLON, lineStart) + 2;
    const remote = local + digits + 6;
    const state = remote + digits + 6;
    const isHeading = bytes[lineStart + 2] === 115; // "  sl"
    if (local < 2 || state + 2 > lineEnd || bytes[local + digits] !== COLON) {
      if (!isHeading && lineEnd > lineStart) skipped++;
    } else if (!isHeading) {
      readAddress(bytes, local, wide, row, true);
      readAddress(bytes, remote, wide, row, false);
      row.localPort = hex(bytes, local + digits + 1, 4);
      row.remotePort = hex(bytes, remote + digits + 1, 4);
      row.state = hex(bytes, state, 2);
      if (!take(row)) return skipped;
    }
    lineStart = lineEnd + 1;
  }
  return skipped;
}

/** The kernel prints each 32-bit word as the number it is in memory: on little-endian machines, backwards. */
function readAddress(bytes: Uint8Array, at: number, wide: boolean, row: SocketRow, local: boolean): void {
  let a = swap(hex(bytes, at, 8));
  let b = 0;
  let c = 0;
  let d = 0;
  if (wide) {
    b = swap(hex(bytes, at + 8, 8));
    c = swap(hex(bytes, at + 16, 8));
    d = swap(hex(bytes, at + 24, 8));
    if (local) row.family = 6;
    if (a === 0 && b === 0 && c === 0xffff) {
      if (local) row.family = 4;
      a = d;
      b = c = d = 0;
    }
  }
  if (local) {
    row.local0 = a;
    row.local1 = b;
    row.local2 = c;
    row.local3 = d;
  } else {
    row.remote0 = a;
    row.remote1 = b;
    row.remote2 = c;
    row.remote3 = d;
  }
}

function swap(word: number): number {
  return (
    (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | ((word >>> 24) & 0xff)) >>> 0
  );
}

function hex(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const c = bytes[i]!;
    value = value * 16 + (c <= 57 ? c - 48 : (c & 0xdf) - 55);
  }
  return value;
}
