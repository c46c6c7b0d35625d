// Traps for connect mode: really listening on the ports, so that whoever connects has shown an address of his own.
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { readdirSync, readFileSync } from "node:fs";
import { type Address, parseAddress } from "../core/address.ts";
import { describeError } from "../core/errors.ts";
import { TcpTrap, type TrappedConnection } from "../sys/tcp-trap.ts";

export type Caught = {
  readonly source: Address;
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
  readonly at: Date;
  /** Answers with a text; what cannot be sent any more is dropped. */
  readonly reply: (text: string) => void;
  /** Ends the connection. */
  readonly done: () => void;
};

export type ConnectOptions = {
  readonly tcpPorts: Iterable<number>;
  readonly udpPorts: Iterable<number>;
  /** A port is about to be taken. */
  readonly onTry?: (protocol: "TCP" | "UDP", port: number) => void;
  readonly onCaught: (caught: Caught) => void;
  /** A port that could not be taken: in use, or forbidden. */
  readonly onRefused: (protocol: "TCP" | "UDP", port: number, why: string) => void;
  /** So many ports are left out, because this process may not have more than `limit` files open. */
  readonly onShort: (leftOut: number, limit: number) => void;
};

// Connections kept open for their last words; more are closed as soon as they are dealt with.
const MAX_OPEN = 1_024;
const LINGER_MS = 500;
// Services answer from ports below this (RFC 6335); one that answers every datagram would answer our answer for ever.
const FIRST_USER_PORT = 1_024;
// Descriptors that ports leave free: without any nobody who connects is accepted, and no command is run. Half of them are for
// connections.
const RESERVED = 64;

/** The ports that are being listened on. */
export class ConnectTraps {
  readonly #options: ConnectOptions;
  readonly #servers: TcpTrap[] = [];
  readonly #datagrams: Datagrams[] = [];
  readonly #udpPorts = new Set<number>();
  readonly #open = new Map<TrappedConnection, NodeJS.Timeout | null>();
  #maxOpen = RESERVED / 2;

  private constructor(options: ConnectOptions) {
    this.#options = options;
  }

  /** Takes every port that is free, as far as files may be opened. */
  static async open(options: ConnectOptions): Promise<ConnectTraps> {
    const traps = new ConnectTraps(options);
    const { limit, spare } = descriptors();
    const most = Math.max(1, spare - RESERVED);
    let leftOut = 0;
    for (const port of options.tcpPorts) {
      if (traps.size >= most) leftOut++;
      else {
        options.onTry?.("TCP", port);
        traps.#listen(port);
      }
    }
    for (const port of options.udpPorts) {
      if (traps.size >= most) leftOut++;
      else {
        options.onTry?.("UDP", port);
        await traps.#bind(port);
      }
    }
    if (leftOut > 0) options.onShort(leftOut, limit);
    traps.#maxOpen = Math.min(MAX_OPEN, spare - traps.size - RESERVED / 2);
    return traps;
  }

  /** Ports taken. */
  get size(): number {
    return this.#servers.length + this.#datagrams.length;
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#datagrams) socket.close();
    for (const connection of this.#open.keys()) this.#drop(connection);
  }

  #listen(port: number): void {
    try {
      this.#servers.push(new TcpTrap(port, (source, connection) => this.#accept(source, connection, port)));
    } catch (error) {
      this.#options.onRefused("TCP", port, describeError(error));
    }
  }

  async #bind(port: number): Promise<void> {
    let why: string | null = "";
    for (const type of ["udp6", "udp4"] as const) {
      const socket = createSocket({ type, ipv6Only: false });
      why = await attempt(socket, () => socket.bind(port));
      if (why !== null) {
        socket.close();
        continue;
      }
      socket.on("error", (error) => this.#options.onRefused("UDP", port, describeError(error)));
      socket.on("message", (_, { address, port: remotePort }) => {
        const source = sourceOf(address);
        if (source === null) return;
        const reply = (text: string): void => {
          if (this.#mayAnswer(remotePort)) socket.send(text, remotePort, address, () => {});
        };
        this.#options.onCaught({ source, protocol: "UDP", port, at: new Date(), reply, done: () => {} });
      });
      this.#datagrams.push(socket);
      this.#udpPorts.add(port);
      return;
    }
    this.#options.onRefused("UDP", port, why ?? "");
  }

  /** Not a port behind which another trap like this one may lie: one forged datagram would make the two talk without end. */
  #mayAnswer(remotePort: number): boolean {
    return remotePort >= FIRST_USER_PORT && !this.#udpPorts.has(remotePort);
  }

  #accept(source: Address, connection: TrappedConnection, port: number): void {
    const tooMany = this.#open.size >= this.#maxOpen;
    if (!tooMany) this.#open.set(connection, null);
    this.#options.onCaught({
      source,
      protocol: "TCP",
      port,
      at: new Date(),
      reply: (text) => connection.send(text),
      done: () => {
        connection.finish();
        // Closed a moment later, so that a last word of the peer does not turn the end into a reset.
        if (this.#open.has(connection)) {
          this.#open.set(
            connection,
            setTimeout(() => this.#drop(connection), LINGER_MS),
          );
        } else connection.close();
      },
    });
  }

  #drop(connection: TrappedConnection): void {
    const timer = this.#open.get(connection) ?? null;
    if (timer !== null) clearTimeout(timer);
    this.#open.delete(connection);
    connection.close();
  }
}

/** How many files this process may have open, and how many more that are. proc(5): /proc/PID/limits, /proc/PID/fd */
function descriptors(): { limit: number; spare: number } {
  try {
    const found = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"));
    const limit = found === null ? Number.POSITIVE_INFINITY : Number(found[1]);
    return { limit, spare: limit - readdirSync("/proc/self/fd").length };
  } catch {
    // Without /proc nobody can tell; ports that are one too many are then told one by one.
    return { limit: Number.POSITIVE_INFINITY, spare: Number.POSITIVE_INFINITY };
  }
}

/** Null once it listens, otherwise why it does not. */
function attempt(thing: Datagrams, begin: () => void): Promise<string | null> {
  return new Promise((resolve) => {
    const fail = (error: Error): void => {
      thing.removeListener("listening", succeed);
      resolve(describeError(error));
    };
    const succeed = (): void => {
      thing.removeListener("error", fail);
      resolve(null);
    };
    thing.once("error", fail);
    thing.once("listening", succeed);
    begin();
  });
}

function sourceOf(text: string): Address | null {
  return parseAddress(text.split("%")[0]!);
}
