// A listening TCP socket that learns the peer's address from accept(2) itself. Node asks for it afterwards, and a scanner
// that connects and resets at once, as nmap -sT does, is gone by then: the connection comes without an address.
import type { Address } from "../core/address.ts";
import { addressFromBytes } from "../core/address.ts";
import { koffi, lastError, libc } from "./libc.ts";
import { type SocketCalls, socketCalls } from "./socket-calls.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const BACKLOG = 128;
// A turn of the event loop takes at most this many connections of one port.
const ACCEPTS_PER_TURN = 64;

type Foreign = SocketCalls & {
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Uint8Array, length: Uint32Array, flags: number): number;
  shutdown(fd: number, how: number): number;
};

let foreign: Foreign | undefined;

function calls(): Foreign {
  if (foreign !== undefined) return foreign;
  const c = libc();
  foreign = {
    ...socketCalls(),
    listen: c.func("int listen(int fd, int backlog)"),
    accept4: c.func("int accept4(int fd, void *address, uint32_t *length, int flags)"),
    shutdown: c.func("int shutdown(int fd, int how)"),
  };
  return foreign;
}

type PollHandle = ReturnType<ReturnType<typeof koffi>["node"]["poll"]>;

/** A connection that was accepted. */
export class TrappedConnection {
  readonly #fd: number;
  #closed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Sends what fits at once; a peer that has gone gets nothing. */
  send(text: string): void {
    const bytes = Buffer.from(text);
    if (!this.#closed) calls().send(this.#fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /** Says that no more comes, and takes in what came, so that closing is no reset that would overtake the text. */
  finish(): void {
    if (this.#closed) return;
    calls().shutdown(this.#fd, SHUT_WR);
    const waste = new Uint8Array(4_096);
    while (Number(calls().recv(this.#fd, waste, waste.length, MSG_DONTWAIT)) > 0);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    calls().close(this.#fd);
  }
}

/** One port, on every address of both families where there are both. */
export class TcpTrap {
  readonly #fd: number;
  readonly #poll: PollHandle;
  readonly #onConnection: (source: Address, connection: TrappedConnection) => void;
  #closed = false;

  /** Throws SystemCallError: EADDRINUSE for a port in use, EACCES for one that needs privilege. */
  constructor(port: number, onConnection: (source: Address, connection: TrappedConnection) => void) {
    this.#onConnection = onConnection;
    this.#fd = openListening(port);
    // The poll handle calls from outside of Node's own machinery, which settles no promises; an immediate does.
    this.#poll = koffi().node.poll(this.#fd, { readable: true }, () => setImmediate(() => this.#accept()));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poll.close();
    calls().close(this.#fd);
  }

  #accept(): void {
    const address = new Uint8Array(28);
    for (let i = 0; i < ACCEPTS_PER_TURN && !this.#closed; i++) {
      const length = Uint32Array.of(address.length);
      const fd = calls().accept4(this.#fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      // Nobody there, or somebody who has gone already and whose address nobody knows any more.
      if (fd < 0) return;
      const family = address[0] === AF_INET6 ? 6 : 4;
      // struct sockaddr_in6 has the address at 8, struct sockaddr_in at 4.
      this.#onConnection(addressFromBytes(address, family === 6 ? 8 : 4, family), new TrappedConnection(fd));
    }
  }
}

function openListening(port: number): number {
  const c = calls();
  for (const family of [AF_INET6, AF_INET]) {
    const fd = c.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    // A kernel without IPv6.
    if (fd < 0 && family === AF_INET6) continue;
    if (fd < 0) throw lastError("socket");
    const address = new Uint8Array(family === AF_INET6 ? 28 : 16);
    const view = new DataView(address.buffer);
    view.setUint16(0, family, true);
    view.setUint16(2, port, false);
    c.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, Int32Array.of(1), 4);
    if (family === AF_INET6) c.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, Int32Array.of(0), 4);
    if (c.bind(fd, address, address.length) < 0 || c.listen(fd, BACKLOG) < 0) {
      const error = lastError("bind", `TCP port ${port}`);
      c.close(fd);
      throw error;
    }
    return fd;
  }
  throw lastError("socket");
}
