// Which ports of this host are in use, per address: a picture that is renewed every few seconds and costs nothing to
// ask, and the kernel itself for the questions that decide something.
import { readFileSync } from "node:fs";
import { type Clock, systemClock } from "../core/clock.ts";
import type { MutedSource } from "./muted.ts";
import { LISTEN } from "./parse.ts";
import type { End, OpenSocket, SocketTables } from "./tables.ts";
import { PROTOCOL } from "./types.ts";

type PortRange = readonly [first: number, last: number];
type Words = readonly [number, number, number, number];

/** What is ordinary on this host, for the kernel's filter. */
export type Ordinary = {
  readonly open: Readonly<Record<"tcp4" | "tcp6" | "udp4" | "udp6", readonly PortRange[]>>;
  /** Listeners on one address only, each with its port. */
  readonly openAt: {
    readonly tcp4: readonly (readonly [address: number, port: number])[];
    readonly udp4: readonly (readonly [address: number, port: number])[];
    readonly tcp6: readonly (readonly [address: Words, port: number])[];
    readonly udp6: readonly (readonly [address: Words, port: number])[];
  };
  readonly busy: Readonly<Record<"tcp4" | "tcp6", readonly PortRange[]>>;
  readonly ephemeral: PortRange;
  /** Of the SYNs to open ports, one in so many is wanted: a power of two. */
  readonly openOneIn: number;
  /** Blocked sources that are loud: nothing of them is wanted. */
  readonly muted: readonly MutedSource[];
  /** This host's addresses; null when they are not to be asked for. */
  readonly addresses: OwnAddresses | null;
};

/** Addresses as words in host order. */
export type OwnAddresses = { readonly ipv4: readonly number[]; readonly ipv6: readonly Words[] };

// A port whose service restarts is closed for seconds; one that served within this time is no evidence against anybody.
const GRACE_MS = 600_000;
// Specific addresses per table; a host with more listeners than this has the rest asked for one by one.
const MAX_SPECIFIC = 16_384;
const MAX_ADDRESSES_PER_PORT = 256;
// Of these, as many as the kernel's filter asks for one by one; the others cost a wake-up each.
const MAX_PAIRS = 24;

// 192.0.2.1, which is nobody's (RFC 5737): whoever takes packets for it takes them for every address.
const ANY_IPV4 = [0xc000_0201, 0, 0, 0] as const;

const WILDCARD = 1;
const SPECIFIC = 2;
const TABLES = ["tcp4", "tcp6", "udp4", "udp6"] as const;
type TableName = (typeof TABLES)[number];

class PortTable {
  /** Per port: bits WILDCARD and SPECIFIC. */
  readonly kinds = new Uint8Array(65_536);
  /** Ports with listeners on single addresses, as [w0, w1, w2, w3, …]. */
  readonly specific = new Map<number, number[]>();
  /** Monotonic second, plus one, at which the port was last seen in use; 0 for never. */
  readonly lastSeen = new Uint32Array(65_536);
  /** Ports with a bit in `kinds`. */
  ports: number[] = [];

  clear(): void {
    for (const port of this.ports) this.kinds[port] = 0;
    this.specific.clear();
    this.ports = [];
  }

  add(socket: OpenSocket, nowS: number): void {
    const port = socket.localPort;
    this.lastSeen[port] = nowS + 1;
    if (this.kinds[port] === 0) this.ports.push(port);
    if (isWildcard(socket)) {
      this.kinds[port]! |= WILDCARD;
      return;
    }
    this.kinds[port]! |= SPECIFIC;
    let words = this.specific.get(port);
    if (words === undefined) {
      if (this.specific.size >= MAX_SPECIFIC) return;
      this.specific.set(port, (words = []));
    }
    if (words.length < 4 * MAX_ADDRESSES_PER_PORT)
      words.push(socket.local0, socket.local1, socket.local2, socket.local3);
  }

  /** Address and port of listeners on single addresses, loopback left out. */
  pairs(most: number): [number, number, number, number, number][] {
    const out: [number, number, number, number, number][] = [];
    for (const [port, words] of this.specific) {
      if ((this.kinds[port]! & WILDCARD) !== 0) continue;
      for (let i = 0; i < words.length; i += 4) {
        const [w0, w1, w2, w3] = [words[i]!, words[i + 1]!, words[i + 2]!, words[i + 3]!];
        const isLoopback = w0 >>> 24 === 127 || (w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1);
        if (!isLoopback && out.length < most) out.push([w0, w1, w2, w3, port]);
      }
    }
    return out;
  }

  has(t0: number, t1: number, t2: number, t3: number, port: number): boolean {
    const kinds = this.kinds[port]!;
    if (kinds === 0) return false;
    if ((kinds & WILDCARD) !== 0) return true;
    const words = this.specific.get(port) ?? [];
    for (let i = 0; i < words.length; i += 4) {
      if (
        (words[i]! | 0) === (t0 | 0) &&
        (words[i + 1]! | 0) === (t1 | 0) &&
        (words[i + 2]! | 0) === (t2 | 0) &&
        (words[i + 3]! | 0) === (t3 | 0)
      )
        return true;
    }
    return false;
  }
}

/** When ports were last seen doing something. A look at those that were costs no walk over all there are. */
class NotedPorts {
  /** Per port the monotonic second, plus one; 0 for never, or too long ago. */
  readonly #seconds = new Uint32Array(65_536);
  /** Ports with a second, each once. */
  #ports: number[] = [];

  note(port: number, second: number): void {
    if (this.#seconds[port] === 0) this.#ports.push(port);
    this.#seconds[port] = second;
  }

  secondOf(port: number): number {
    return this.#seconds[port]!;
  }

  /** The ports whose second is recent; the others are forgotten. */
  recent(isRecent: (second: number) => boolean): readonly number[] {
    this.#ports = this.#ports.filter((port) => {
      const stays = isRecent(this.#seconds[port]!);
      if (!stays) this.#seconds[port] = 0;
      return stays;
    });
    return this.#ports;
  }
}

/** The socket tables as of the last reading. */
export class Listeners {
  readonly #tables: SocketTables;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #ports: Record<TableName, PortTable> = {
    tcp4: new PortTable(),
    tcp6: new PortTable(),
    udp4: new PortTable(),
    udp6: new PortTable(),
  };
  /** Local ports of this host's own connections that packets gave away. */
  readonly #learned = { tcp4: new NotedPorts(), tcp6: new NotedPorts() };
  /** Ports from which SYN|ACKs left though nothing here listens on them. */
  readonly #answering = { tcp4: new NotedPorts(), tcp6: new NotedPorts() };
  #readAtMs = Number.NEGATIVE_INFINITY;
  #unreadable: string | null = null;

  /** @param graceMs how long a port that was in use is no evidence */
  constructor(tables: SocketTables, clock: Clock = systemClock, graceMs = GRACE_MS) {
    this.#tables = tables;
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Milliseconds since the tables were read. */
  ageMs(): number {
    return this.#clock.monotonicMs() - this.#readAtMs;
  }

  /** Why the sockets could not be read at the last attempt, or null. */
  get unreadable(): string | null {
    return this.#unreadable;
  }

  /** Ports in use: each once, whatever the families. */
  count(protocol: number): number {
    const names: TableName[] = protocol === PROTOCOL.tcp ? ["tcp4", "tcp6"] : ["udp4", "udp6"];
    return new Set(names.flatMap((name) => this.#ports[name].ports)).size;
  }

  /** Reads listening TCP sockets and all UDP sockets anew: about 0.1 ms with sock_diag. */
  refresh(): void {
    const nowMs = this.#clock.monotonicMs();
    const nowS = Math.floor(nowMs / 1_000);
    for (const name of TABLES) this.#ports[name].clear();
    this.#readAtMs = nowMs;
    try {
      for (const protocol of [PROTOCOL.tcp, PROTOCOL.udp]) {
        const prefix = protocol === PROTOCOL.tcp ? "tcp" : "udp";
        this.#tables.open(protocol, (socket) => {
          this.#ports[`${prefix}${socket.family}`].add(socket, nowS);
          if (socket.family === 6 && isWildcard(socket) && this.#takesIpv4(protocol, socket.localPort))
            this.#ports[`${prefix}4`].add(socket, nowS);
        });
      }
      this.#unreadable = null;
    } catch (error) {
      this.#unreadable = (error as Error).message;
    }
  }

  /** Whether something here takes packets for that address and port, as of the last reading. */
  inUse(
    family: 4 | 6,
    protocol: number,
    t0: number,
    t1: number,
    t2: number,
    t3: number,
    port: number,
  ): boolean {
    const table = this.#tableOf(family, protocol);
    return table?.has(t0, t1, t2, t3, port) ?? false;
  }

  /**
   * Notes that a SYN|ACK left from a port: whoever sits behind it (a container, a redirection, a load balancer), it is
   * served.
   */
  noteAnswer(family: 4 | 6, port: number): void {
    const second = this.#second();
    this.#answering[family === 4 ? "tcp4" : "tcp6"].note(port, second);
    this.#ports[family === 4 ? "tcp4" : "tcp6"].lastSeen[port] = second;
  }

  /** Whether somebody else answers at that TCP port, behind this host, while nothing here listens on it. */
  isPassedOn(family: 4 | 6, port: number): boolean {
    const name = family === 4 ? "tcp4" : "tcp6";
    return this.#ports[name].kinds[port] === 0 && this.#isRecent(this.#answering[name].secondOf(port));
  }

  /** Whether the port was in use, on any address, within the last ten minutes: a service that restarts. */
  wasInUse(family: 4 | 6, protocol: number, port: number): boolean {
    const seen = this.#tableOf(family, protocol)?.lastSeen[port] ?? 0;
    return this.#isRecent(seen);
  }

  /** Whether a TCP socket here, listening or connected, was seen with that local port within the last ten minutes. */
  isBusy(family: 4 | 6, port: number): boolean {
    const name = family === 4 ? "tcp4" : "tcp6";
    return (
      this.#isRecent(this.#learned[name].secondOf(port)) || this.#isRecent(this.#ports[name].lastSeen[port]!)
    );
  }

  /** Asks the kernel, now, which state the socket has that such a packet would go to; 0 for none. */
  ask(
    family: 4 | 6,
    protocol: number,
    local: Words,
    localPort: number,
    remote: Words,
    remotePort: number,
    interfaceIndex: number,
  ): number {
    if (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp) return 0;
    try {
      const state = this.#tables.find(
        family,
        protocol,
        endOf(local, localPort),
        endOf(remote, remotePort),
        interfaceIndex,
      );
      this.#unreadable = null;
      if (state !== 0) this.#learn(family, protocol, localPort, state);
      return state;
    } catch (error) {
      // Told by whoever looks after us; meanwhile the last picture has to do.
      this.#unreadable = (error as Error).message;
      return this.inUse(family, protocol, ...local, localPort) ? LISTEN : 0;
    }
  }

  /** The local ports of the connections that a source (an IPv6 /64) holds here, in either direction. */
  connectionsOf(family: 4 | 6, source: Words): number[] {
    try {
      return this.#tables.connectionsOf(family, source);
    } catch (error) {
      this.#unreadable = (error as Error).message;
      return [];
    }
  }

  /** Whether something listens on that TCP port, on any address, or did a moment ago. */
  isServed(family: 4 | 6, port: number): boolean {
    const { kinds } = this.#ports[family === 4 ? "tcp4" : "tcp6"];
    return kinds[port] !== 0 || this.wasInUse(family, PROTOCOL.tcp, port);
  }

  /** What the kernel's filter may keep to itself. */
  ordinary(openOneIn: number, addresses: OwnAddresses | null, muted: readonly MutedSource[] = []): Ordinary {
    const isRecent = (second: number): boolean => this.#isRecent(second);
    const open = (name: TableName): PortRange[] => {
      const { ports, kinds } = this.#ports[name];
      const wild = ports.filter((port) => (kinds[port]! & WILDCARD) !== 0);
      const answering = name === "tcp4" || name === "tcp6" ? this.#answering[name].recent(isRecent) : [];
      return toRanges([...wild, ...answering]);
    };
    const busy = (name: "tcp4" | "tcp6"): PortRange[] =>
      toRanges([
        ...this.#ports[name].ports,
        ...this.#learned[name].recent(isRecent),
        ...this.#answering[name].recent(isRecent),
      ]);
    const at4 = (name: "tcp4" | "udp4"): [number, number][] =>
      this.#ports[name].pairs(MAX_PAIRS).map(([w0, , , , port]) => [w0, port]);
    const at6 = (name: "tcp6" | "udp6"): [Words, number][] =>
      this.#ports[name].pairs(MAX_PAIRS).map(([w0, w1, w2, w3, port]) => [[w0, w1, w2, w3], port]);
    return {
      openAt: { tcp4: at4("tcp4"), tcp6: at6("tcp6"), udp4: at4("udp4"), udp6: at6("udp6") },
      open: { tcp4: open("tcp4"), tcp6: open("tcp6"), udp4: open("udp4"), udp6: open("udp6") },
      busy: { tcp4: busy("tcp4"), tcp6: busy("tcp6") },
      ephemeral: ephemeralPorts(),
      openOneIn,
      muted,
      addresses,
    };
  }

  close(): void {
    this.#tables.close();
  }

  /** A socket on :: takes IPv4 as well, unless it asked not to (IPV6_V6ONLY). */
  #takesIpv4(protocol: number, port: number): boolean {
    return this.#tables.find(4, protocol, [...ANY_IPV4, port], [...ANY_IPV4, 0], 0) !== 0;
  }

  #isRecent(second: number): boolean {
    return second > 0 && this.#clock.monotonicMs() - (second - 1) * 1_000 < this.#graceMs;
  }

  /** This second, plus one: 0 stands for never. */
  #second(): number {
    return Math.floor(this.#clock.monotonicMs() / 1_000) + 1;
  }

  #learn(family: 4 | 6, protocol: number, port: number, state: number): void {
    const second = this.#second();
    if (protocol === PROTOCOL.tcp && state !== LISTEN)
      this.#learned[family === 4 ? "tcp4" : "tcp6"].note(port, second);
    else this.#tableOf(family, protocol)!.lastSeen[port] = second;
  }

  #tableOf(family: 4 | 6, protocol: number): PortTable | null {
    if (protocol === PROTOCOL.tcp) return family === 4 ? this.#ports.tcp4 : this.#ports.tcp6;
    if (protocol === PROTOCOL.udp) return family === 4 ? this.#ports.udp4 : this.#ports.udp6;
    return null;
  }
}

/** The words of a packet may be signed; those of the tables are not. */
function endOf([w0, w1, w2, w3]: Words, port: number): End {
  return [w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0, port];
}

/** Ports this host takes for its own connections. */
export function ephemeralPorts(): PortRange {
  try {
    const text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1");
    const [first, last] = text.trim().split(/\s+/).map(Number);
    if (first! > 0 && last! >= first! && last! <= 65_535) return [first!, last!];
  } catch {
    // Not mounted, as in some containers: the kernel's default serves.
  }
  return [32_768, 60_999];
}

function isWildcard(socket: OpenSocket): boolean {
  return socket.local0 === 0 && socket.local1 === 0 && socket.local2 === 0 && socket.local3 === 0;
}

function toRanges(ports: readonly number[]): PortRange[] {
  const out: [number, number][] = [];
  for (const port of Uint16Array.from(ports).sort()) {
    const before = out.at(-1);
    if (before !== undefined && port <= before[1] + 1) before[1] = port;
    else out.push([port, port]);
  }
  return out;
}
