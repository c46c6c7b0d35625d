// Hears of each block that the kernel's tripwire makes, with the packet that made it: the evidence.
import { type Address, addressFromBytes } from "../../core/address.ts";
import {
  attribute,
  attributeOf,
  joined,
  NetfilterSocket,
  type NetlinkMessage,
  NLM_F_ACK,
  NLMSG_ERROR,
  nfgenmsg,
  SUBSYSTEM,
} from "../../sys/netfilter-netlink.ts";

/** The packet for which the kernel blocked its source. */
export type Touch = {
  readonly source: Address;
  readonly target: Address;
  readonly port: number;
  /** What the rule that blocked wrote beside it; empty for most. */
  readonly prefix?: string;
};

// linux/netfilter/nfnetlink_log.h
const MSG_PACKET = 0;
const MSG_CONFIG = 1;
const CFG_CMD = 1;
const CFG_MODE = 2;
const CFG_QTHRESH = 5;
const CMD_BIND = 1;
const COPY_PACKET = 2;
const PAYLOAD = 9;
const PREFIX = 10;
const PROTOCOL_TCP = 6;

/** Tells touches as they happen, until it is disposed or handed over. */
export type TouchEar = Disposable & {
  /**
   * Ends hearing here and returns the descriptor, for `hearHandedTouches` in another process: the group is heard for as long as it
   * is open. A process without CAP_NET_ADMIN can do nothing else with it. Null when it has been handed over already.
   */
  handOver(): number | null;
};

type Told = {
  readonly onTouch: (touch: Touch) => void;
  readonly onDeaf: (why: string) => void;
};

/**
 * Binds to the group.
 * @param snapBytes of each packet
 * @param onDeaf more was said than could be read, or the kernel refuses the group
 * @throws SystemCallError when the socket cannot be had
 */
export function hearTouches(
  group: number,
  snapBytes: number,
  onTouch: Told["onTouch"],
  onDeaf: Told["onDeaf"],
): TouchEar {
  const socket = openEar({ onTouch, onDeaf });
  const configure = (...parts: Uint8Array[]) =>
    socket.send((SUBSYSTEM.ulog << 8) | MSG_CONFIG, NLM_F_ACK, joined(nfgenmsg(0, group), ...parts));
  const mode = new Uint8Array(6);
  new DataView(mode.buffer).setUint32(0, snapBytes, false);
  mode[4] = COPY_PACKET;
  configure(attribute(CFG_CMD, Uint8Array.of(CMD_BIND)));
  configure(attribute(CFG_MODE, mode));
  // Each packet at once; the kernel would otherwise gather them for up to a second.
  configure(attribute(CFG_QTHRESH, Uint8Array.of(0, 0, 0, 1)));
  return { handOver: () => socket.release(), [Symbol.dispose]: () => socket.close() };
}

/** Tells touches as they happen. */
export type HandedEar = Disposable & {
  /** Tells at once what the kernel has said by now, without waiting to be woken up for it. */
  read(): void;
};

/** Goes on hearing, without any right, what another process has bound and let go of; the descriptor is owned from now on. */
export function hearHandedTouches(fd: number, onTouch: Told["onTouch"], onDeaf: Told["onDeaf"]): HandedEar {
  return openEar({ onTouch, onDeaf }, fd);
}

function openEar(told: Told, fd?: number): NetfilterSocket {
  return new NetfilterSocket({
    ...(fd !== undefined && { fd }),
    onMessage: (message) => take(message, told),
    onOverrun: () => told.onDeaf("more notifications than could be read"),
  });
}

function take({ type, payload }: NetlinkMessage, { onTouch, onDeaf }: Told): void {
  if (type === NLMSG_ERROR) {
    const errno = -new DataView(payload.buffer, payload.byteOffset).getInt32(0, true);
    if (errno !== 0) onDeaf(`NFLOG group: errno ${errno}`);
    return;
  }
  if (type !== ((SUBSYSTEM.ulog << 8) | MSG_PACKET)) return;
  const packet = attributeOf(payload, PAYLOAD);
  const touch = packet === null ? null : readPacket(packet);
  if (touch === null) return;
  const prefix = attributeOf(payload, PREFIX);
  onTouch(prefix === null ? touch : { ...touch, prefix: textOf(prefix) });
}

// An alarm waits for this, and it runs too seldom to be compiled: no map of all attributes, no decoder for a word of ASCII.
function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, -1)); // less the closing zero
}

/** Source, target and port of an IP packet whose transport header follows at once, as for every packet the rules let through. */
export function readPacket(packet: Uint8Array): Touch | null {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4 && packet.length >= 20) {
    const at = (packet[0]! & 0x0f) * 4;
    if (packet[9] !== PROTOCOL_TCP || at < 20 || packet.length < at + 4) return null;
    return {
      source: addressFromBytes(packet, 12, 4),
      target: addressFromBytes(packet, 16, 4),
      port: (packet[at + 2]! << 8) | packet[at + 3]!,
    };
  }
  if (version !== 6 || packet.length < 44) return null;
  const port = packet[6] === PROTOCOL_TCP ? (packet[42]! << 8) | packet[43]! : 0;
  return { source: addressFromBytes(packet, 8, 6), target: addressFromBytes(packet, 24, 6), port };
}
