// Hears from the kernel when an address of this host or an interface comes or goes (rtnetlink(7), its multicast groups), so
// that nobody has to ask again and again on a host where nothing changes.
import { koffi, lastError } from "./libc.ts";
import { netlinkCalls } from "./netfilter-netlink.ts";
import { NETLINK_ROUTE } from "./netlink-questions.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
// linux/rtnetlink.h: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
const GROUPS = 0x1 | 0x10 | 0x100;
const READ_BYTES = 65_536;
// A host that makes interfaces by the thousand has its news heard in turns.
const READS_PER_TURN = 64;

/** Calls `onNews`, soon after, whenever addresses or interfaces have changed in this process's network namespace. */
export class AddressNews {
  readonly #fd: number;
  readonly #poll: ReturnType<ReturnType<typeof koffi>["node"]["poll"]>;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #closed = false;

  /** Needs no privilege. Throws SystemCallError where the kernel does not tell. */
  constructor(onNews: () => void) {
    const c = netlinkCalls();
    this.#fd = c.socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, NETLINK_ROUTE);
    if (this.#fd < 0) throw lastError("socket", "NETLINK_ROUTE");
    // struct sockaddr_nl: family, padding, port (0: the kernel picks one), groups.
    const address = new Uint8Array(12);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(8, GROUPS, true);
    if (c.bind(this.#fd, address, address.length) < 0) {
      const error = lastError("bind", "NETLINK_ROUTE");
      c.close(this.#fd);
      throw error;
    }
    // The handle calls from outside of Node's own machinery; an immediate is inside of it again.
    this.#poll = koffi().node.poll(this.#fd, { readable: true }, () =>
      setImmediate(() => {
        if (this.#closed) return;
        this.#empty();
        onNews();
      }),
    );
    this.#poll.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poll.close();
    netlinkCalls().close(this.#fd);
  }

  // What the news says is not read: whoever hears of it looks for themselves. News that were lost for want of room
  // (ENOBUFS) are news too.
  #empty(): void {
    for (let reads = 0; reads < READS_PER_TURN; reads++) {
      if (Number(netlinkCalls().recv(this.#fd, this.#buffer, READ_BYTES, 0)) < 0) return;
    }
  }
}
