// Whether addresses, interfaces or routes have changed since somebody last asked: the kernel leaves a note on a socket
// (rtnetlink(7), its multicast groups) at the very moment it changes them, so a question costs one system call and no dump.
import { koffi, lastError } from "./libc.ts";
import { NETLINK_ROUTE } from "./netlink-questions.ts";
import { socketCalls } from "./socket-calls.ts";

/** linux/rtnetlink.h: RTMGRP_… */
export const CHANGES = {
  links: 0x1,
  addresses: 0x10 | 0x100,
  routes: 0x40 | 0x400,
} as const;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const EAGAIN = 11;
// What a note says is not read: the rest of one that does not fit is dropped by the kernel.
const READ_BYTES = 16;
// A host that makes interfaces by the thousand has its notes taken away in turns.
const READS_PER_TURN = 64;

/** Notes of changes in this process's network namespace. */
export class NetworkChanges {
  /** Readable when there are notes. */
  readonly fd: number;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #closed = false;

  /**
   * Needs no privilege. Throws SystemCallError where the kernel does not tell.
   * @param groups which changes: bits of CHANGES
   */
  constructor(groups: number) {
    const c = socketCalls();
    this.fd = c.socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, NETLINK_ROUTE);
    if (this.fd < 0) throw lastError("socket", "NETLINK_ROUTE");
    // struct sockaddr_nl: family, padding, port (0: the kernel picks one), groups.
    const address = new Uint8Array(12);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(8, groups, true);
    if (c.bind(this.fd, address, address.length) < 0) {
      const error = lastError("bind", "NETLINK_ROUTE");
      c.close(this.fd);
      throw error;
    }
  }

  /** Takes the notes away; whether there were any. Notes that were lost for want of room (ENOBUFS) are notes too. */
  take(): boolean {
    if (this.#closed) return false;
    for (let reads = 0; reads < READS_PER_TURN; reads++) {
      const size = Number(socketCalls().recv(this.fd, this.#buffer, READ_BYTES, 0));
      if (size < 0 && koffi().errno() === EAGAIN) return reads > 0;
    }
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    socketCalls().close(this.fd);
  }
}
