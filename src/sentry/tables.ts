// Where the sentry learns which sockets exist: from sock_diag where the kernel has it, otherwise from the text tables
// under /proc/net. Never by binding, which would steal the port from the service that is about to start.
import { readFileSync } from "node:fs";
import { ALL_STATES, dumpSockets } from "../sys/sock-diag.ts";
import { type End, SocketLookup } from "../sys/socket-lookup.ts";
import { LISTEN, parseSockets } from "./parse.ts";
import { PROTOCOL } from "./types.ts";

export type { End } from "../sys/socket-lookup.ts";

/** A socket that takes packets. Addresses are words in host order, IPv4 in the first. */
export type OpenSocket = {
  readonly family: 4 | 6;
  readonly local0: number;
  readonly local1: number;
  readonly local2: number;
  readonly local3: number;
  readonly localPort: number;
};

/** The kernel's sockets. Both questions throw when the kernel does not answer. */
export interface SocketTables {
  /** Calls `take` for each listening TCP socket and each UDP socket. The object is used again. */
  open(protocol: number, take: (socket: OpenSocket) => void): void;
  /** The state of the socket that a packet would go to (net/tcp_states.h), 0 for none. */
  find(family: 4 | 6, protocol: number, local: End, remote: End, interfaceIndex: number): number;
  /**
   * The local ports of the connections whose other end is this source, one for each: an address for IPv4, its /64 for
   * IPv6. Takes a few tenths of a millisecond, and more the more connections there are.
   */
  connectionsOf(family: 4 | 6, source: Source): number[];
  close(): void;
}

/** Words in host order; IPv4 uses the first. */
export type Source = readonly [number, number, number, number];

// A crowd needs no exact number.
const ENOUGH = 64;

// Established, closing or in TIME_WAIT: whoever got there has answered our SYN|ACK (net/tcp_states.h).
const CONNECTED = [1, 4, 5, 6, 8, 9, 11];
const CONNECTED_STATES = CONNECTED.reduce((bits, state) => bits | (1 << state), 0);

/** Whether a socket in this state has an answered SYN|ACK behind it. */
export function isConnected(state: number): boolean {
  return CONNECTED.includes(state);
}

/** sock_diag, or the text tables where a kernel or a sandbox lacks it. */
export function openTables(): SocketTables {
  try {
    const diag = new DiagTables();
    for (const protocol of [PROTOCOL.tcp, PROTOCOL.udp]) {
      diag.open(protocol, () => {});
      diag.find(4, protocol, [0x7f00_0001, 0, 0, 0, 1], [0x7f00_0001, 0, 0, 0, 1], 0);
    }
    return diag;
  } catch {
    // CONFIG_INET_DIAG or CONFIG_INET_UDP_DIAG is off, or a seccomp filter forbids netlink.
    return new TextTables("/proc/self/net");
  }
}

class DiagTables implements SocketTables {
  readonly #lookup = new SocketLookup();

  open(protocol: number, take: (socket: OpenSocket) => void): void {
    const states = protocol === PROTOCOL.tcp ? 1 << LISTEN : ALL_STATES;
    for (const wide of [false, true]) {
      dumpSockets({ protocol: protocol === PROTOCOL.tcp ? "tcp" : "udp", wide, states }, (socket) => {
        take(socket);
        return true;
      });
    }
  }

  find(family: 4 | 6, protocol: number, local: End, remote: End, interfaceIndex: number): number {
    return this.#lookup.find(family, protocol, local, remote, interfaceIndex);
  }

  connectionsOf(family: 4 | 6, source: Source): number[] {
    const ports: number[] = [];
    const remote = { family, words: source, bits: family === 4 ? 32 : 64 };
    // An IPv6 socket may hold an IPv4 connection.
    for (const wide of family === 4 ? [false, true] : [true]) {
      dumpSockets({ protocol: "tcp", wide, states: CONNECTED_STATES, remote }, (socket) => {
        // An IPv4 address inside an IPv6 one looks like a neighbour of ::1.
        if (socket.family === family) ports.push(socket.localPort);
        return ports.length < ENOUGH;
      });
    }
    return ports;
  }

  close(): void {
    this.#lookup.close();
  }
}

/** /proc/net/{tcp,tcp6,udp,udp6}. Slower by far, and taking every socket on :: for one that takes IPv4 too. */
export class TextTables implements SocketTables {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  open(protocol: number, take: (socket: OpenSocket) => void): void {
    this.#each(protocol, (row) => {
      if (protocol === PROTOCOL.tcp && row.state !== LISTEN) return false;
      take(row);
      return true;
    });
  }

  find(family: 4 | 6, protocol: number, local: End, remote: End): number {
    let state = 0;
    this.#each(protocol, (row) => {
      if (row.localPort !== local[4]) return true;
      const isAny = row.local0 === 0 && row.local1 === 0 && row.local2 === 0 && row.local3 === 0;
      const isLocal =
        row.family === family &&
        row.local0 === local[0] &&
        row.local1 === local[1] &&
        row.local2 === local[2] &&
        row.local3 === local[3];
      const isRemote =
        row.remotePort === remote[4] &&
        row.remote0 === remote[0] &&
        row.remote1 === remote[1] &&
        row.remote2 === remote[2] &&
        row.remote3 === remote[3];
      // A connection answers better than the listening socket it came from.
      if (row.remotePort !== 0) {
        if (isLocal && isRemote) state = row.state;
      } else if (state === 0 && (isLocal || (isAny && row.family >= family))) state = row.state;
      return true;
    });
    return state;
  }

  connectionsOf(family: 4 | 6, source: Source): number[] {
    const ports: number[] = [];
    this.#each(PROTOCOL.tcp, (row) => {
      const isFrom =
        row.family === family &&
        row.remote0 === source[0] &&
        (family === 4 || row.remote1 === source[1]) &&
        isConnected(row.state);
      if (isFrom) ports.push(row.localPort);
      return ports.length < ENOUGH;
    });
    return ports;
  }

  close(): void {}

  /** `take` returns false to leave out the rest of a table. */
  #each(protocol: number, take: Parameters<typeof parseSockets>[2]): void {
    const name = protocol === PROTOCOL.tcp ? "tcp" : "udp";
    parseSockets(readFileSync(`${this.#root}/${name}`), false, take);
    let wide: Uint8Array;
    try {
      wide = readFileSync(`${this.#root}/${name}6`);
    } catch {
      // A kernel without IPv6 has no such table.
      return;
    }
    parseSockets(wide, true, take);
  }
}
