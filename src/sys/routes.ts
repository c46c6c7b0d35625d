// The gateways of every routing table, over netlink (rtnetlink(7)). /proc/net/route shows the main table only and one next
// hop of many; whoever routes by policy or over several uplinks has more.
import { type Address, addressFromBytes } from "../core/address.ts";
import { koffi, lastError, libc } from "./libc.ts";

/** One next hop. */
export type NextHop = {
  readonly address: Address;
  /** Index of the interface (if_nametoindex(3)); 0 when the route names none. */
  readonly interfaceIndex: number;
  readonly isDefault: boolean;
  /** 254 is `main`; others are for policy routing. */
  readonly table: number;
};

// linux/netlink.h, linux/rtnetlink.h
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const RTM_GETROUTE = 26;
const RTM_NEWROUTE = 24;
const NLM_F_REQUEST_DUMP = 0x301;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const HEADER_BYTES = 16;
const RTMSG_BYTES = 12;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const READ_BYTES = 65_536;
const EINTR = 4;
// A router with all routes of the internet has a million: 4 MB are some 60,000, read in a few milliseconds. That there
// was more is told.
const MAX_BYTES = 4 * 1024 * 1024;

type Foreign = {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: BigInt64Array, length: number): number;
  send(fd: number, bytes: Uint8Array, length: bigint, flags: number): number;
  recv(fd: number, bytes: Uint8Array, length: bigint, flags: number): number;
  close(fd: number): number;
};

let foreign: Foreign | undefined;

function calls(): Foreign {
  const c = libc();
  foreign ??= {
    socket: c.func("int socket(int domain, int type, int protocol)"),
    setsockopt: c.func("int setsockopt(int fd, int level, int name, const void *value, uint32_t length)"),
    send: c.func("int64_t send(int fd, const void *bytes, uint64_t length, int flags)"),
    recv: c.func("int64_t recv(int fd, void *bytes, uint64_t length, int flags)"),
    close: c.func("int close(int fd)"),
  };
  return foreign;
}

/**
 * The distinct next hops of all routes of one family in this process's network namespace. Needs no privilege.
 * @returns `whole` is false when there were more routes than are read
 * @throws SystemCallError when the kernel does not answer
 */
export function readNextHops(family: 4 | 6): { hops: NextHop[]; whole: boolean } {
  const c = calls();
  const fd = c.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw lastError("socket", "NETLINK_ROUTE");
  try {
    // The kernel answers within the call; a second is for a kernel that does not.
    if (c.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, BigInt64Array.of(1n, 0n), 16) < 0)
      throw lastError("setsockopt", "SO_RCVTIMEO");
    const request = new Uint8Array(HEADER_BYTES + RTMSG_BYTES);
    const words = new DataView(request.buffer);
    words.setUint32(0, request.length, true);
    words.setUint16(4, RTM_GETROUTE, true);
    words.setUint16(6, NLM_F_REQUEST_DUMP, true);
    request[HEADER_BYTES] = family === 4 ? AF_INET : AF_INET6;
    if (c.send(fd, request, BigInt(request.length), 0) < 0) throw lastError("send", "rtnetlink");
    return receive(c, fd);
  } finally {
    c.close(fd);
  }
}

function receive(c: Foreign, fd: number): { hops: NextHop[]; whole: boolean } {
  const found = new Map<string, NextHop>();
  const buffer = new Uint8Array(READ_BYTES);
  for (let read = 0; ; ) {
    const size = Number(c.recv(fd, buffer, BigInt(READ_BYTES), 0));
    if (size < 0) {
      if (koffi().errno() === EINTR) continue;
      throw lastError("recv", "rtnetlink");
    }
    read += size;
    const view = new DataView(buffer.buffer, 0, size);
    for (let at = 0; at + HEADER_BYTES <= size; ) {
      const length = view.getUint32(at, true);
      const type = view.getUint16(at + 4, true);
      if (length < HEADER_BYTES || at + length > size) break;
      if (type === NLMSG_DONE) return { hops: [...found.values()], whole: true };
      if (type === NLMSG_ERROR) {
        koffi().errno(-view.getInt32(at + HEADER_BYTES, true));
        throw lastError("rtnetlink");
      }
      if (type === RTM_NEWROUTE && length >= HEADER_BYTES + RTMSG_BYTES) {
        for (const hop of hopsOf(buffer.subarray(at + HEADER_BYTES, at + length)))
          found.set(`${hop.address} ${hop.interfaceIndex} ${hop.isDefault} ${hop.table}`, hop);
      }
      at += (length + 3) & ~3;
    }
    if (size === 0 || read >= MAX_BYTES) return { hops: [...found.values()], whole: size === 0 };
  }
}

/**
 * The next hops of one route message, its netlink header taken off: struct rtmsg, then attributes. A route that names no
 * gateway has none; what is cut short or malformed is passed over.
 */
export function hopsOf(message: Uint8Array): NextHop[] {
  const family = message[0] === AF_INET ? 4 : message[0] === AF_INET6 ? 6 : null;
  if (family === null || message.length < RTMSG_BYTES) return [];
  const attributes = read(message.subarray(RTMSG_BYTES));
  const isDefault = message[1] === 0;
  const table = word(attributes.get(RTA_TABLE)) ?? message[4]!;
  const hop = (address: Address | null, interfaceIndex: number): NextHop[] =>
    address === null ? [] : [{ address, interfaceIndex, isDefault, table }];
  const out = hop(gatewayIn(attributes, family), word(attributes.get(RTA_OIF)) ?? 0);
  // struct rtnexthop: length, flags, hops, interface, then attributes of its own.
  const several = attributes.get(RTA_MULTIPATH) ?? new Uint8Array();
  const view = new DataView(several.buffer, several.byteOffset, several.length);
  for (let at = 0; at + 8 <= several.length; ) {
    const length = view.getUint16(at, true);
    if (length < 8 || at + length > several.length) break;
    out.push(
      ...hop(gatewayIn(read(several.subarray(at + 8, at + length)), family), view.getInt32(at + 4, true)),
    );
    at += (length + 3) & ~3;
  }
  return out;
}

function gatewayIn(attributes: ReadonlyMap<number, Uint8Array>, family: 4 | 6): Address | null {
  const own = attributes.get(RTA_GATEWAY);
  if (own !== undefined && own.length === (family === 4 ? 4 : 16)) return addressFromBytes(own, 0, family);
  // struct rtvia: an IPv4 route over an IPv6 gateway (RFC 5549).
  const via = attributes.get(RTA_VIA);
  if (via === undefined || via.length < 2) return null;
  const of = via[0] === AF_INET ? 4 : via[0] === AF_INET6 ? 6 : null;
  return of === null || via.length !== 2 + (of === 4 ? 4 : 16) ? null : addressFromBytes(via, 2, of);
}

function read(bytes: Uint8Array): Map<number, Uint8Array> {
  const out = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    out.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return out;
}

function word(bytes: Uint8Array | undefined): number | null {
  return bytes?.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : null;
}
