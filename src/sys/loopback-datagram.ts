// Empty datagrams on the loopback interface that bear a stranger's address: a process without any right can so name that address
// to the host's own packet filter, within one system call and without waking anybody. They never leave the host: an IPv4 packet is
// bound to the interface lo, where a foreign destination is a martian (RFC 1812, 5.3.7) and thrown away; an IPv6 packet bears the
// address as its source and goes to a socket of this very object. See ip(7) for IP_UNICAST_IF, ipv6(7) for IPV6_FREEBIND.
import { type Address, bytesOfAddress, familyOf } from "../core/address.ts";
import { koffi, lastError, libc } from "./libc.ts";
import { type SocketCalls, socketCalls } from "./socket-calls.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IP_UNICAST_IF = 50;
const IPPROTO_IPV6 = 41;
const IPV6_FREEBIND = 78;
const EPERM = 1;
// include/net/flow.h: the loopback interface has this number in every network namespace.
const LOOPBACK_IFINDEX = 1;
const LOOPBACK: Record<4 | 6, Address> = { 4: "127.0.0.1" as Address, 6: "::1" as Address };

type Foreign = SocketCalls & {
  getsockname(fd: number, address: Uint8Array, length: Uint32Array): number;
  sendto(
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    to: Uint8Array,
    toLength: number,
  ): number;
};

let foreign: Foreign | undefined;

function calls(): Foreign {
  if (foreign !== undefined) return foreign;
  const c = libc();
  foreign = {
    ...socketCalls(),
    getsockname: c.func("int getsockname(int fd, _Out_ void *address, uint32_t *length)"),
    sendto: c.func(
      "int64_t sendto(int fd, const void *bytes, size_t length, int flags, const void *to, uint32_t toLength)",
    ),
  };
  return foreign;
}

// A socket bound to the loopback address; whatever the packet filter lets through ends in its small buffer, unread.
type Sink = { readonly fd: number; readonly port: number };

const NOTHING = new Uint8Array(1);

export class LoopbackDatagrams {
  // Absent where the host does not speak that family.
  readonly #sinks: Partial<Record<4 | 6, Sink>> = {};

  /** Throws SystemCallError where the host speaks neither family. */
  constructor() {
    let refused: unknown;
    for (const family of [4, 6] as const) {
      try {
        this.#sinks[family] = openSink(family);
      } catch (error) {
        refused = error;
      }
    }
    if (this.#sinks[4] === undefined && this.#sinks[6] === undefined) throw refused;
  }

  /**
   * Sends one datagram: as IPv4 with this address as its destination, as IPv6 with it as its source.
   * @param length of the payload in bytes, 0 or 1
   * @returns whether a rule of the packet filter has dropped it
   */
  send(address: Address, length: 0 | 1 = 0): boolean {
    const family = familyOf(address);
    const sink = this.#sinks[family];
    if (sink === undefined) return false;
    return family === 4 ? sendTo(sink.fd, address, sink.port, length) : sendAs(address, sink.port, length);
  }

  close(): void {
    for (const family of [4, 6] as const) {
      const sink = this.#sinks[family];
      if (sink !== undefined) calls().close(sink.fd);
      delete this.#sinks[family];
    }
  }
}

function sendTo(fd: number, address: Address, port: number, length: number): boolean {
  const to = socketAddress(address, port);
  return calls().sendto(fd, NOTHING, length, 0, to, to.length) < 0 && koffi().errno() === EPERM;
}

// A socket has one source for its life: each of these lives for one datagram.
function sendAs(address: Address, port: number, length: number): boolean {
  const fd = openSocket(AF_INET6);
  try {
    const from = socketAddress(address, 0);
    setOption(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
    if (calls().bind(fd, from, from.length) < 0) return false;
    return sendTo(fd, LOOPBACK[6], port, length);
  } finally {
    calls().close(fd);
  }
}

function openSink(family: 4 | 6): Sink {
  const fd = openSocket(family === 4 ? AF_INET : AF_INET6);
  try {
    setOption(fd, SOL_SOCKET, SO_RCVBUF, 0); // The kernel's least.
    // In network byte order.
    if (family === 4) setOption(fd, IPPROTO_IP, IP_UNICAST_IF, LOOPBACK_IFINDEX << 24);
    const own = socketAddress(LOOPBACK[family], 0);
    if (calls().bind(fd, own, own.length) < 0) throw lastError("bind", LOOPBACK[family]);
    if (calls().getsockname(fd, own, Uint32Array.of(own.length)) < 0) throw lastError("getsockname");
    return { fd, port: (own[2]! << 8) | own[3]! };
  } catch (error) {
    calls().close(fd);
    throw error;
  }
}

function openSocket(domain: number): number {
  const fd = calls().socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw lastError("socket", domain === AF_INET ? "AF_INET" : "AF_INET6");
  return fd;
}

function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer);
  if (calls().setsockopt(fd, level, name, bytes, bytes.length) < 0) throw lastError("setsockopt");
}

// struct sockaddr_in of ip(7): family, port, address, padding; sockaddr_in6 of ipv6(7): family, port, flow, address, scope.
function socketAddress(address: Address, port: number): Uint8Array {
  const family = familyOf(address);
  const bytes = new Uint8Array(family === 4 ? 16 : 28);
  bytes.set(new Uint8Array(Uint16Array.of(family === 4 ? AF_INET : AF_INET6).buffer), 0);
  bytes.set([port >> 8, port & 0xff], 2);
  bytes.set(bytesOfAddress(address), family === 4 ? 4 : 8);
  return bytes;
}
