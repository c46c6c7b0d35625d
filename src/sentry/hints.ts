// Names the tool that a probe looks like, from header fields that these tools leave as they are. A hint, never a proof:
// every one of them has options that change its fields, and anybody can write theirs. Nothing is decided by it.
import type { Frame, Packet } from "./types.ts";
import { PROTOCOL } from "./types.ts";

/** Tools by number; index 0 means that no known one shows. */
export const HINTS = ["", "nmap", "masscan", "zmap", "hping3", "Mirai"] as const;

const NMAP = 1;
const MASSCAN = 2;
const ZMAP = 3;
const HPING = 4;
const MIRAI = 5;

const SYN = 0x02;
const ACK = 0x10;
const ECHO_REQUEST = 8;
const ECHO_REQUEST6 = 128;
const INIT = 1;

// zmap, src/probe_modules/packet.c: every packet has this identification.
const ZMAP_ID = 54_321;
// hping3(8), --win: 64 in the manual, 512 on the wire; no system begins with so little and without options.
const HPING_WINDOW = 512;
// nmap, libnetutil: an initiation tag of its own making, but always these three (RFC 9260, section 3.3.2).
const NMAP_CREDIT = 32_768;
const NMAP_OUT_STREAMS = 10;
const NMAP_IN_STREAMS = 2_048;
// An MSS of 1,460 and nothing else; systems add window scale, timestamps and selective acknowledgements.
const NMAP_OPTION = 0x0204_05b4;

/** The number in HINTS of the tool whose habits the packet shows; 0 for none. `frame` holds the decoded packet. */
export function hintOf(frame: Frame, packet: Packet): number {
  const { bytes, end } = frame;
  const at = packet.transportAt;
  if (packet.protocol === PROTOCOL.tcp) return at + 20 <= end && !packet.tiny ? hintOfTcp(frame, packet) : 0;
  if (packet.family === 4 && identification(frame, packet) === ZMAP_ID) return ZMAP;
  if (packet.protocol === PROTOCOL.sctp && at + 28 <= end) {
    const isNmap =
      packet.flags === INIT &&
      word(bytes, at + 20) === NMAP_CREDIT &&
      half(bytes, at + 24) === NMAP_OUT_STREAMS &&
      half(bytes, at + 26) === NMAP_IN_STREAMS;
    return isNmap ? NMAP : 0;
  }
  const isEcho =
    (packet.protocol === PROTOCOL.icmp && packet.flags === ECHO_REQUEST) ||
    (packet.protocol === PROTOCOL.icmp6 && packet.flags === ECHO_REQUEST6);
  // ping(8) counts from 1 and sends data; nmap asks once, with neither.
  return isEcho && packet.payloadBytes === 8 && at + 8 <= end && half(bytes, at + 6) === 0 ? NMAP : 0;
}

/** The tool that at least half of the contacts show, "" for none. */
export function commonHint(contacts: readonly { readonly hint: number }[]): string {
  const counts = new Uint32Array(HINTS.length);
  for (const { hint } of contacts) counts[hint]!++;
  const most = HINTS.findIndex((_, hint) => hint > 0 && counts[hint]! * 2 >= contacts.length);
  return contacts.length === 0 || most < 0 ? "" : HINTS[most]!;
}

function hintOfTcp(frame: Frame, packet: Packet): number {
  const { bytes, end } = frame;
  const at = packet.transportAt;
  const sequence = word(bytes, at + 4);
  const flags = packet.flags & 0x3f;
  const { window } = packet;
  const hasOptions = bytes[at + 12]! >>> 4 > 5;
  if (packet.family === 4) {
    const id = identification(frame, packet);
    if (id === ZMAP_ID && window === 65_535) return ZMAP;
    if (flags === SYN) {
      // "Understanding the Mirai Botnet" (USENIX Security 2017): the sequence number is the target's address.
      if (sequence === (packet.target0 | 0)) return MIRAI;
      // masscan keeps no state: its identification is made of target, port and sequence number (src/templ-pkt.c).
      const cookie = (packet.target0 ^ packet.targetPort ^ sequence) & 0xffff;
      if (id === cookie && packet.hops > 128) return MASSCAN;
    }
  }
  if (window === HPING_WINDOW && !hasOptions) return HPING;
  // nmap: 1024 always in newer versions, up to four times that in older ones (libnetutil/netutil.cc).
  if (window === 0 || window > 4_096 || window % 1_024 !== 0) return 0;
  if ((flags & SYN) !== 0) {
    return bytes[at + 12]! >>> 4 === 6 && at + 24 <= end && word(bytes, at + 20) === NMAP_OPTION ? NMAP : 0;
  }
  if (hasOptions) return 0;
  // The acknowledgement carries what nmap wants to hear back; the sequence number is left out.
  return (flags & ACK) === 0 || sequence === 0 ? NMAP : 0;
}

function identification(frame: Frame, packet: Packet): number {
  return half(frame.bytes, packet.networkAt + 4);
}

function half(b: Uint8Array, at: number): number {
  return (b[at]! << 8) | b[at + 1]!;
}

function word(b: Uint8Array, at: number): number {
  return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
}
