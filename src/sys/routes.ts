// The gateways of every routing table, over netlink (rtnetlink(7)). /proc/net/route shows the main table only and one next
// hop of many; whoever routes by policy or over several uplinks has more.
import { type Address, addressFromBytes } from "../core/address.ts";
import { attributes, NLM_F_DUMP } from "./netfilter-netlink.ts";
import { NETLINK_ROUTE, NetlinkQuestions } from "./netlink-questions.ts";

/** One next hop. */
export type NextHop = {
  readonly address: Address;
  /** Index of the interface (if_nametoindex(3)); 0 when the route names none. */
  readonly interfaceIndex: number;
  readonly isDefault: boolean;
  /** 254 is `main`; others are for policy routing. */
  readonly table: number;
};

// linux/rtnetlink.h
const AF_INET = 2;
const AF_INET6 = 10;
const RTM_GETROUTE = 26;
const RTMSG_BYTES = 12;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
// A router with all routes of the internet has a million: 4 MB are some 60,000, read in a few milliseconds. That there
// was more is told.
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * The distinct next hops of all routes of one family in this process's network namespace. Needs no privilege.
 * @returns `whole` is false when there were more routes than are read
 * @throws SystemCallError when the kernel does not answer
 */
export function readNextHops(family: 4 | 6): { hops: NextHop[]; whole: boolean } {
  using questions = new NetlinkQuestions(NETLINK_ROUTE);
  const request = new Uint8Array(RTMSG_BYTES);
  request[0] = family === 4 ? AF_INET : AF_INET6;
  const found = new Map<string, NextHop>();
  let read = 0;
  for (const { bodies } of questions.ask(RTM_GETROUTE, NLM_F_DUMP, request)) {
    for (const body of bodies) {
      read += body.length;
      for (const hop of hopsOf(body))
        found.set(`${hop.address} ${hop.interfaceIndex} ${hop.isDefault} ${hop.table}`, hop);
    }
    if (read >= MAX_BYTES) return { hops: [...found.values()], whole: false };
  }
  return { hops: [...found.values()], whole: true };
}

/**
 * The next hops of one route message, its netlink header taken off: struct rtmsg, then attributes. A route that names no
 * gateway has none; what is cut short or malformed is passed over.
 */
export function hopsOf(message: Uint8Array): NextHop[] {
  const family = message[0] === AF_INET ? 4 : message[0] === AF_INET6 ? 6 : null;
  if (family === null || message.length < RTMSG_BYTES) return [];
  const own = attributes(message, RTMSG_BYTES);
  const isDefault = message[1] === 0;
  const table = word(own.get(RTA_TABLE)) ?? message[4]!;
  const hop = (address: Address | null, interfaceIndex: number): NextHop[] =>
    address === null ? [] : [{ address, interfaceIndex, isDefault, table }];
  const out = hop(gatewayIn(own, family), word(own.get(RTA_OIF)) ?? 0);
  // struct rtnexthop: length, flags, hops, interface, then attributes of its own.
  const several = own.get(RTA_MULTIPATH) ?? new Uint8Array();
  const view = new DataView(several.buffer, several.byteOffset, several.length);
  for (let at = 0; at + 8 <= several.length; ) {
    const length = view.getUint16(at, true);
    if (length < 8 || at + length > several.length) break;
    out.push(
      ...hop(
        gatewayIn(attributes(several.subarray(at + 8, at + length), 0), family),
        view.getInt32(at + 4, true),
      ),
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

function word(bytes: Uint8Array | undefined): number | null {
  return bytes?.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : null;
}
