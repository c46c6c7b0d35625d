// Traps for connect mode: really listening on the ports, so that whoever connects has shown an address of his own.
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { type Address, parseAddress } from "../core/address.ts";
import { describeError } from "../core/errors.ts";

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
  readonly onCaught: (caught: Caught) => void;
  /** A port that could not be taken: in use, or forbidden. */
  readonly onRefused: (protocol: "TCP" | "UDP", port: number, why: string) => void;
};

// Connections waiting to be dealt with; more are closed unheard.
const MAX_OPEN = 1_024;
// Whoever connects and then says nothing gets this long for the banner to arrive.
const LINGER_MS = 5_000;

/** The ports that are being listened on. */
export class ConnectTraps {
  readonly #options: ConnectOptions;
  readonly #servers: Server[] = [];
  readonly #datagrams: Datagrams[] = [];
  readonly #open = new Set<Socket>();

  private constructor(options: ConnectOptions) {
    this.#options = options;
  }

  /** Takes every port that is free. */
  static async open(options: ConnectOptions): Promise<ConnectTraps> {
    const traps = new ConnectTraps(options);
    for (const port of options.tcpPorts) await traps.#listen(port);
    for (const port of options.udpPorts) await traps.#bind(port);
    return traps;
  }

  /** Ports taken. */
  get size(): number {
    return this.#servers.length + this.#datagrams.length;
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#datagrams) socket.close();
    for (const socket of this.#open) socket.destroy();
  }

  async #listen(port: number): Promise<void> {
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket, port));
    const why =
      (await attempt(server, () => server.listen({ port, host: "::", ipv6Only: false }))) === null
        ? null
        : await attempt(server, () => server.listen({ port, host: "0.0.0.0" }));
    if (why !== null) return this.#options.onRefused("TCP", port, why);
    server.on("error", (error) => this.#options.onRefused("TCP", port, describeError(error)));
    this.#servers.push(server);
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
        const reply = (text: string): void => socket.send(text, remotePort, address, () => {});
        this.#options.onCaught({ source, protocol: "UDP", port, at: new Date(), reply, done: () => {} });
      });
      this.#datagrams.push(socket);
      return;
    }
    this.#options.onRefused("UDP", port, why ?? "");
  }

  #accept(socket: Socket, port: number): void {
    const source = sourceOf(socket.remoteAddress ?? "");
    if (source === null || this.#open.size >= MAX_OPEN) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#open.delete(socket));
    socket.setTimeout(LINGER_MS, () => socket.destroy());
    this.#options.onCaught({
      source,
      protocol: "TCP",
      port,
      at: new Date(),
      reply: (text) => socket.write(text),
      done: () => {
        // Read to the end, so that the close is no reset that would throw the banner away.
        socket.resume();
        socket.end();
      },
    });
  }
}

/** Null once it listens, otherwise why it does not. */
function attempt(thing: Server | Datagrams, begin: () => void): Promise<string | null> {
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
