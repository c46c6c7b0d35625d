// Makes packets from what they should say: for the rehearsal that compiles the sentry's paths before the first real
// packet comes, and for the tests.
import { type Address, bytesOfAddress, familyOf } from "../core/address.ts";
import { type Frame, PROTOCOL } from "./types.ts";

export type Craft = {
  readonly source: Address;
  readonly target: Address;
  /** TCP unless said otherwise. */
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly port?: number;
  /** TCP flags, ICMP type or SCTP chunk type; a SYN unless said otherwise. */
  readonly flags?: number;
  readonly hops?: number;
  /** TCP sequence number and window, IPv4 identification; 0 unless said otherwise. */
  readonly sequence?: number;
  readonly window?: number;
  readonly identification?: number;
  readonly sent?: boolean;
  readonly atMs?: number;
  readonly interfaceIndex?: number;
};

/** Alike in every property to what the packet ring hands over: code that is compiled for the one fits the other. */
export type CraftedFrame = { -readonly [Key in keyof Frame]: Frame[Key] } & { hardware: number };

/** The frame of a whole, honest packet without options. Checksums are left out: nothing here reads them. */
export function craft(wanted: Craft): CraftedFrame {
  const family = familyOf(wanted.target);
  const protocol = wanted.protocol ?? PROTOCOL.tcp;
  const transport = craftTransport(protocol, wanted);
  const bytes = family === 4 ? wrapIpv4(transport, protocol, wanted) : wrapIpv6(transport, protocol, wanted);
  return {
    bytes,
    start: 0,
    end: bytes.length,
    wireLength: bytes.length,
    etherType: family === 4 ? 0x0800 : 0x86dd,
    interfaceIndex: wanted.interfaceIndex ?? 1,
    hardware: 1,
    direction: wanted.sent ? 4 : 0,
    atMs: wanted.atMs ?? 0,
  };
}

function craftTransport(protocol: number, wanted: Craft): Uint8Array {
  const size = { [PROTOCOL.tcp]: 20, [PROTOCOL.udp]: 8, [PROTOCOL.sctp]: 16 }[protocol] ?? 8;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  if (protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmp6) {
    bytes[0] = wanted.flags ?? 8;
    return bytes;
  }
  view.setUint16(0, wanted.sourcePort ?? 40_000);
  view.setUint16(2, wanted.port ?? 0);
  if (protocol === PROTOCOL.tcp) {
    view.setUint32(4, wanted.sequence ?? 0);
    bytes[12] = 5 << 4;
    bytes[13] = wanted.flags ?? 2;
    view.setUint16(14, wanted.window ?? 0);
  } else if (protocol === PROTOCOL.udp) view.setUint16(4, size);
  else bytes[12] = wanted.flags ?? 1;
  return bytes;
}

function wrapIpv4(payload: Uint8Array, protocol: number, wanted: Craft): Uint8Array {
  const bytes = new Uint8Array(20 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x45;
  view.setUint16(2, bytes.length);
  view.setUint16(4, wanted.identification ?? 0);
  bytes[8] = wanted.hops ?? 64;
  bytes[9] = protocol;
  bytes.set(bytesOfAddress(wanted.source), 12);
  bytes.set(bytesOfAddress(wanted.target), 16);
  bytes.set(payload, 20);
  return bytes;
}

function wrapIpv6(payload: Uint8Array, protocol: number, wanted: Craft): Uint8Array {
  const bytes = new Uint8Array(40 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x60;
  view.setUint16(4, payload.length);
  bytes[6] = protocol;
  bytes[7] = wanted.hops ?? 64;
  bytes.set(bytesOfAddress(wanted.source), 8);
  bytes.set(bytesOfAddress(wanted.target), 24);
  bytes.set(payload, 40);
  return bytes;
}
