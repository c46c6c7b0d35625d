// Hears of each block that the kernel's tripwire makes, with the packet that made it: the evidence.
import { type Address, addressFromBytes } from "../../core/address.ts";
import {
  attribute,
  attributes,
  joined,
  NetfilterSocket,
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

/**
 * Binds to the group.
 * @throws SystemCallError when the socket cannot be had
 */
export function hearTouches(
  group: number,
  snapBytes: number,
  onTouch: (touch: Touch) => void,
  onDeaf: (why: string) => void,
): Disposable {
  const socket = new NetfilterSocket({
    onMessage: ({ type, payload }) => {
      if (type === NLMSG_ERROR) {
        const errno = -new DataView(payload.buffer, payload.byteOffset).getInt32(0, true);
        if (errno !== 0) onDeaf(`NFLOG group ${group}: errno ${errno}`);
        return;
      }
      if (type !== ((SUBSYSTEM.ulog << 8) | MSG_PACKET)) return;
      const told = attributes(payload);
      const packet = told.get(PAYLOAD);
      const touch = packet === undefined ? null : readPacket(packet);
      const prefix = new TextDecoder().decode(told.get(PREFIX)?.subarray(0, -1)); // less the closing zero
      if (touch !== null) onTouch({ ...touch, prefix });
    },
    onOverrun: () => onDeaf("more notifications than could be read"),
  });
  const configure = (...parts: Uint8Array[]) =>
    socket.send((SUBSYSTEM.ulog << 8) | MSG_CONFIG, NLM_F_ACK, joined(nfgenmsg(0, group), ...parts));
  const mode = new Uint8Array(6);
  new DataView(mode.buffer).setUint32(0, snapBytes, false);
  mode[4] = COPY_PACKET;
  configure(attribute(CFG_CMD, Uint8Array.of(CMD_BIND)));
  configure(attribute(CFG_MODE, mode));
  // Each packet at once; the kernel would otherwise gather them for up to a second.
  configure(attribute(CFG_QTHRESH, Uint8Array.of(0, 0, 0, 1)));
  return socket;
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
