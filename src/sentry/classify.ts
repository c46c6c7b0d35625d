// Says what kind of probe a packet is by itself, before anybody asks whether its port is in use. Pure.
import { KIND, type Packet, PROTOCOL } from "./types.ts";

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const URG = 32;

// Tunnels and routing protocols that a host may well speak and that carry no ports: IGMP, IPIP, IPv6-in-IP, GRE, ESP, AH,
// EIGRP, OSPF, PIM, VRRP (IANA protocol numbers). Live, the kernel's filter keeps them to itself already.
const QUIET_PROTOCOLS = [2, 4, 41, 47, 50, 51, 88, 89, 103, 112];

/** The kind as a number of KIND, KIND.none for what cannot be a probe: answers, resets, errors. */
export function classify(packet: Packet): number {
  switch (packet.protocol) {
    case PROTOCOL.tcp:
      return packet.tiny ? KIND.flags : classifyFlags(packet.flags & 0x3f);
    case PROTOCOL.udp:
      return isTraceroute(packet) || isLease(packet) ? KIND.none : KIND.udp;
    case PROTOCOL.sctp:
      return packet.flags === 1 || packet.flags === 10 ? KIND.sctp : KIND.none;
    case PROTOCOL.icmp:
      // Echo, timestamp, address mask: the requests with which networks are swept.
      return packet.flags === 8 || packet.flags === 13 || packet.flags === 17 ? KIND.ping : KIND.none;
    case PROTOCOL.icmp6:
      return packet.flags === 128 ? KIND.ping : KIND.none;
    default:
      return QUIET_PROTOCOLS.includes(packet.protocol) ? KIND.none : KIND.protocol;
  }
}

function classifyFlags(flags: number): number {
  if (flags === SYN) return KIND.syn;
  // SYN|ACK answers our own SYN, or one that somebody sent in our name; resets answer anything.
  if ((flags & (SYN | ACK)) === (SYN | ACK) && (flags & (FIN | RST)) === 0) return KIND.none;
  if ((flags & SYN) !== 0) return KIND.flags;
  if ((flags & RST) !== 0) return KIND.none;
  if ((flags & ACK) !== 0) {
    // FIN|ACK alone is also how a connection ends; who counts it asks the socket table first.
    return (flags & FIN) !== 0 ? KIND.maimon : KIND.ack;
  }
  if (flags === 0) return KIND.null;
  if (flags === FIN) return KIND.fin;
  if (flags === (FIN | PSH | URG)) return KIND.xmas;
  return KIND.flags;
}

/** True for kinds that no honest stack sends to any port, open or not (RFC 9293: only a SYN or a reset lacks ACK). */
export function isImpossible(kind: number): boolean {
  return kind === KIND.fin || kind === KIND.null || kind === KIND.xmas || kind === KIND.flags;
}

/** True for kinds that are also what the end of a connection looks like. */
export function isAmbiguous(kind: number): boolean {
  return kind === KIND.ack || kind === KIND.maimon;
}

// traceroute(8) counts its UDP port up from 33434, and what arrives has hardly any hops left: it was sent with just
// enough. mtr(8) goes on counting from 33000 through the whole range for as long as somebody looks, and what it sends
// arrives on its last hop, or a few before that while it does not know the way yet. A scanner who limits himself to that
// gains ports that nothing uses.
function isTraceroute({ targetPort, hops }: Packet): boolean {
  if (targetPort >= 33_434 && targetPort <= 33_625) return hops <= 30;
  return targetPort >= 33_000 && hops <= 3;
}

// DHCP clients read their answers from packet sockets, so their ports stand in no table (RFC 2131, RFC 8415).
function isLease(packet: Packet): boolean {
  return (
    (packet.targetPort === 68 && packet.sourcePort === 67) ||
    (packet.targetPort === 546 && packet.sourcePort === 547)
  );
}

/** What flags are called that no packet showed: those of a first fragment without them. No flags at all are a kind of their own. */
export const HIDDEN_FLAGS = "hidden in a later fragment";

/** `SYN|FIN`, `none` for no flag at all. */
export function nameFlags(flags: number): string {
  const names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"].filter((_, bit) => (flags & (1 << bit)) !== 0);
  return names.length === 0 ? "none" : names.join("|");
}
