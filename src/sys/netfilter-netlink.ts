// The kernel's netfilter talks over netlink sockets (netlink(7)): it tells who changes nftables, hands over logged
// packets and deletes tracked connections. One socket, read when the kernel has something to say. Numbers are in the
// byte order of the host, which on every processor this program ships for is little-endian.
import { koffi, lastError } from "./libc.ts";
import { socketCalls } from "./socket-calls.ts";

/** One netlink message, its header taken off. `type` is `subsystem << 8 | message`. */
export type NetlinkMessage = {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
};

export type NetfilterSocketOptions = {
  /** Multicast groups to hear: NFNLGRP_NFTABLES is 7. */
  readonly groups?: readonly number[];
  readonly onMessage: (message: NetlinkMessage) => void;
  /** The kernel had more to say than the socket could hold: something was missed. */
  readonly onOverrun: () => void;
  readonly receiveBytes?: number;
  /** An open one that another process has let go of; it is owned from now on. */
  readonly fd?: number;
};

/** linux/netfilter/nfnetlink.h */
export const NFNLGRP_NFTABLES = 7;
export const SUBSYSTEM = { ctnetlink: 1, ulog: 4, nftables: 10 } as const;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const HEADER_BYTES = 16;
// One read holds what the kernel sends in one piece: 32 kB and a little for a dump, less for notifications.
const READ_BYTES = 65_536;
// One turn of the event loop reads at most this often, so that a flood of notifications leaves time for the rest.
const READS_PER_TURN = 64;
const EINTR = 4;
const EAGAIN = 11;

const NOTHING_MORE = (): void => {};

/**
 * An open netfilter socket of this process's network namespace, or of the one in which it was opened. In the hands of a process
 * without CAP_NET_ADMIN it only hears what it was set to hear: the kernel asks for the right of whoever sends and of whoever joins
 * a group, at that moment. Throws SystemCallError when it cannot be had.
 */
export class NetfilterSocket {
  readonly #fd: number;
  readonly #onMessage: (message: NetlinkMessage) => void;
  readonly #onOverrun: () => void;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #poll: ReturnType<ReturnType<typeof koffi>["node"]["poll"]>;
  #sequence = 1;
  #closed = false;

  constructor(options: NetfilterSocketOptions) {
    const c = socketCalls();
    this.#onMessage = options.onMessage;
    this.#onOverrun = options.onOverrun;
    this.#fd = options.fd ?? openSocket(options);
    try {
      this.#poll = koffi().node.poll(this.#fd, { readable: true }, () => this.#readable());
      this.#poll.unref();
    } catch (error) {
      c.close(this.#fd);
      throw error;
    }
  }

  /**
   * Sends one request; answers arrive as messages with the returned sequence number.
   * @param type `subsystem << 8 | message`
   * @param flags NLM_F_…; NLM_F_REQUEST is added
   * @param body what follows the netlink header
   */
  send(type: number, flags: number, body: Uint8Array): number {
    const sequence = this.#sequence++;
    const bytes = new Uint8Array(HEADER_BYTES + body.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, flags | NLM_F_REQUEST, true);
    view.setUint32(8, sequence, true);
    bytes.set(body, HEADER_BYTES);
    if (socketCalls().send(this.#fd, bytes, bytes.length, 0) < 0) throw lastError("send", "netlink");
    return sequence;
  }

  /** Ends as `close` does, but leaves the descriptor open for somebody else, who owns it from now on; null when it has ended. */
  release(): number | null {
    return this.#stop() ? this.#fd : null;
  }

  close(): void {
    if (this.#stop()) socketCalls().close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #stop(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.#poll.close();
    return true;
  }

  /** Reads what lies there now, without waiting to be told of it. */
  read(): void {
    if (!this.#closed) this.#drain();
  }

  // The handle calls from outside of Node's own machinery, where neither promises are settled nor errors are seen; an
  // immediate sees to both, and what was said does not wait for it.
  #readable(): void {
    setImmediate(NOTHING_MORE);
    try {
      this.#drain();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }

  #drain(): void {
    const c = socketCalls();
    for (let reads = 0; reads < READS_PER_TURN && !this.#closed; reads++) {
      const got = Number(c.recv(this.#fd, this.#buffer, READ_BYTES, 0));
      if (got < 0) {
        const errno = koffi().errno();
        if (errno === EAGAIN) return;
        // ENOBUFS above all: the queue was full and what came after is lost.
        if (errno !== EINTR) this.#onOverrun();
        continue;
      }
      this.#split(got);
    }
  }

  // One read holds several messages, each padded to four bytes.
  #split(length: number): void {
    const view = new DataView(this.#buffer.buffer, 0, length);
    for (let at = 0; at + HEADER_BYTES <= length; ) {
      const size = view.getUint32(at, true);
      if (size < HEADER_BYTES || at + size > length) return;
      this.#onMessage({
        type: view.getUint16(at + 4, true),
        flags: view.getUint16(at + 6, true),
        sequence: view.getUint32(at + 8, true),
        payload: this.#buffer.slice(at + HEADER_BYTES, at + size),
      });
      at += (size + 3) & ~3;
    }
  }
}

function openSocket({ groups = [], receiveBytes = 1 << 20 }: NetfilterSocketOptions): number {
  const c = socketCalls();
  const fd = c.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) throw lastError("socket", "NETLINK_NETFILTER");
  try {
    // Refused without CAP_NET_ADMIN; the socket then keeps its usual size and overruns earlier.
    c.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, Uint32Array.of(receiveBytes), 4);
    // struct sockaddr_nl: family, pad, port 0 (the kernel gives one), no legacy groups.
    const address = new Uint8Array(12);
    new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
    if (c.bind(fd, address, address.length) < 0) throw lastError("bind", "NETLINK_NETFILTER");
    for (const group of groups) {
      if (c.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, Uint32Array.of(group), 4) < 0)
        throw lastError("setsockopt", `NETLINK_ADD_MEMBERSHIP ${group}`);
    }
    return fd;
  } catch (error) {
    c.close(fd);
    throw error;
  }
}

/** linux/netlink.h */
export const NLM_F_REQUEST = 1;
export const NLM_F_ACK = 4;
export const NLM_F_DUMP = 0x300;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

/** struct nfgenmsg: family, version 0, resource id in network order. */
export function nfgenmsg(family: number, resource = 0): Uint8Array {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}

/** One attribute (struct nlattr) with its padding. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const length = 4 + value.length;
  const bytes = new Uint8Array((length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return attribute(type | 0x8000, joined(...parts));
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The value of the first attribute of that type, without a look at the others; null when there is none. */
export function attributeOf(bytes: Uint8Array, type: number, offset = 4): Uint8Array | null {
  for (let at = offset; at + 4 <= bytes.length; ) {
    const size = bytes[at]! | (bytes[at + 1]! << 8);
    if (size < 4 || at + size > bytes.length) return null;
    // The two highest bits say "nested" and "network order", not the type.
    if ((bytes[at + 2]! | ((bytes[at + 3]! & 0x3f) << 8)) === type) return bytes.subarray(at + 4, at + size);
    at += (size + 3) & ~3;
  }
  return null;
}

/** The attributes of a message from `offset` on (4 skips the nfgenmsg), by type; a broken rest is left out. */
export function attributes(bytes: Uint8Array, offset = 4): Map<number, Uint8Array> {
  const out = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = offset; at + 4 <= bytes.length; ) {
    const size = view.getUint16(at, true);
    if (size < 4 || at + size > bytes.length) break;
    // The two highest bits say "nested" and "network order", not the type.
    out.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + size));
    at += (size + 3) & ~3;
  }
  return out;
}
