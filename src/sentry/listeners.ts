// Which ports of this host are in use, per address, from the kernel's own tables: never by binding, which would steal
// the port from the service that is about to start.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { type Clock, systemClock } from "../core/clock.ts";
import { ALL_STATES, dumpSockets } from "../sys/sock-diag.ts";
import { ESTABLISHED, LISTEN, parseSockets, type SocketRow } from "./parse.ts";
import { PROTOCOL } from "./types.ts";

type PortRange = readonly [first: number, last: number];

/** What is ordinary on this host, for the kernel's filter. */
export type Ordinary = {
  readonly open: Readonly<Record<"tcp4" | "tcp6" | "udp4" | "udp6", readonly PortRange[]>>;
  readonly busy: Readonly<Record<"tcp4" | "tcp6", readonly PortRange[]>>;
  readonly ephemeral: PortRange;
};

/** Connections that a source holds to ports in use here, at this moment. */
export type Standing = { readonly connections: number; readonly ports: number };

// A port whose service restarts is closed for seconds; one that served within this time is no evidence against anybody.
const GRACE_MS = 600_000;
// Specific addresses per table; a host with more listeners than this has its rest watched as if closed, and told so.
const MAX_SPECIFIC = 16_384;
const CHUNK_BYTES = 1 << 16;
// More connections than this are not needed to know that a source is no stranger.
const MAX_CONNECTIONS = 65_536;

const WILDCARD = 1;
const SPECIFIC = 2;
const TABLES = ["tcp4", "tcp6", "udp4", "udp6"] as const;
type TableName = (typeof TABLES)[number];

class PortTable {
  /** Per port: bits WILDCARD and SPECIFIC. */
  kinds = new Uint8Array(65_536);
  /** Ports with listeners on single addresses, as [w0, w1, w2, w3, …]. */
  specific = new Map<number, number[]>();
  /** Monotonic second, plus one, at which the port was last seen in use; 0 for never. */
  readonly lastSeen = new Uint32Array(65_536);
  count = 0;

  clear(): void {
    this.kinds.fill(0);
    this.specific.clear();
    this.count = 0;
  }

  add(row: SocketRow, nowS: number): void {
    const port = row.localPort;
    this.lastSeen[port] = nowS + 1;
    if (row.local0 === 0 && row.local1 === 0 && row.local2 === 0 && row.local3 === 0) {
      if ((this.kinds[port]! & WILDCARD) === 0) this.count++;
      this.kinds[port]! |= WILDCARD;
      return;
    }
    let words = this.specific.get(port);
    if (words === undefined) {
      if (this.specific.size >= MAX_SPECIFIC) return;
      this.specific.set(port, (words = []));
      this.kinds[port]! |= SPECIFIC;
      this.count++;
    }
    if (words.length < 4 * 256) words.push(row.local0, row.local1, row.local2, row.local3);
  }

  has(t0: number, t1: number, t2: number, t3: number, port: number): boolean {
    const kinds = this.kinds[port]!;
    if (kinds === 0) return false;
    if ((kinds & WILDCARD) !== 0) return true;
    const words = this.specific.get(port)!;
    for (let i = 0; i < words.length; i += 4) {
      if (words[i] === t0 && words[i + 1] === t1 && words[i + 2] === t2 && words[i + 3] === t3) return true;
    }
    return false;
  }

  /** Ports that are open whatever address they are reached at. */
  ranges(): PortRange[] {
    return toRanges((port) => (this.kinds[port]! & WILDCARD) !== 0);
  }
}

/** The socket tables as of the last reading. */
export class Listeners {
  /** Where the tables are as text; null to ask the kernel. */
  readonly #root: string | null;
  readonly #clock: Clock;
  readonly #tables: Record<TableName, PortTable> = {
    tcp4: new PortTable(),
    tcp6: new PortTable(),
    udp4: new PortTable(),
    udp6: new PortTable(),
  };
  #readAtMs = Number.NEGATIVE_INFINITY;
  #connectionsReadAtMs = Number.NEGATIVE_INFINITY;
  #connections: { words: number[]; ports: Uint16Array } = { words: [], ports: new Uint16Array(0) };
  #connected = { tcp4: new Uint8Array(65_536), tcp6: new Uint8Array(65_536) };
  #unreadable: string | null = null;

  /** @param root where tables are as text, for a kernel that has nothing better, or for tests */
  constructor(options: { root?: string; clock?: Clock } = {}) {
    this.#root = options.root ?? null;
    this.#clock = options.clock ?? systemClock;
  }

  /** Milliseconds since the tables were read. */
  ageMs(): number {
    return this.#clock.monotonicMs() - this.#readAtMs;
  }

  /** The table that could not be read, with the reason, or null. */
  get unreadable(): string | null {
    return this.#unreadable;
  }

  /** Listening ports, all tables: each port once per family and protocol. */
  get count(): number {
    return TABLES.reduce((sum, name) => sum + this.#tables[name].count, 0);
  }

  /** Reads listening TCP sockets and all UDP sockets anew: about 0.1 ms on a host with a hundred of them. */
  refresh(): void {
    const nowMs = this.#clock.monotonicMs();
    const nowS = Math.floor(nowMs / 1_000);
    this.#unreadable = null;
    for (const name of TABLES) this.#tables[name].clear();
    const listening = 1 << LISTEN;
    // As text, listening sockets come first; what follows may be a hundred thousand connections.
    this.#read("tcp", false, listening, (row) => row.state === LISTEN && this.#take("tcp", row, false, nowS));
    this.#read("tcp", true, listening, (row) => row.state === LISTEN && this.#take("tcp", row, true, nowS));
    this.#read("udp", false, ALL_STATES, (row) => this.#take("udp", row, false, nowS));
    this.#read("udp", true, ALL_STATES, (row) => this.#take("udp", row, true, nowS));
    this.#readAtMs = nowMs;
  }

  /** Reads the connections too: 0.3 ms and a little for each, so not more often than needed. */
  refreshConnections(): void {
    const words: number[] = [];
    const ports: number[] = [];
    const busy = { tcp4: new Uint8Array(65_536), tcp6: new Uint8Array(65_536) };
    const take = (row: SocketRow): boolean => {
      busy[row.family === 4 ? "tcp4" : "tcp6"][row.localPort] = 1;
      if (row.state === LISTEN && isWildcard(row)) busy.tcp4[row.localPort] = 1;
      if (row.state !== ESTABLISHED || ports.length >= MAX_CONNECTIONS) return true;
      if (
        !this.inUse(row.family, PROTOCOL.tcp, row.local0, row.local1, row.local2, row.local3, row.localPort)
      )
        return true;
      words.push(row.remote0, row.remote1, row.remote2, row.remote3);
      ports.push(row.localPort);
      return true;
    };
    this.#read("tcp", false, ALL_STATES, take);
    this.#read("tcp", true, ALL_STATES, take);
    this.#connections = { words, ports: Uint16Array.from(ports) };
    this.#connected = busy;
    this.#connectionsReadAtMs = this.#clock.monotonicMs();
  }

  /** Milliseconds since the connections were read. */
  connectionsAgeMs(): number {
    return this.#clock.monotonicMs() - this.#connectionsReadAtMs;
  }

  /** Whether something here takes packets for that address and port. */
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

  /** Whether the port was in use, on any address, within the last ten minutes: a service that restarts. */
  wasInUse(family: 4 | 6, protocol: number, port: number): boolean {
    const seen = this.#tableOf(family, protocol)?.lastSeen[port] ?? 0;
    return seen > 0 && this.#clock.monotonicMs() - (seen - 1) * 1_000 < GRACE_MS;
  }

  /** Whether some TCP socket, listening or connected, has that local port; as of the last reading of connections. */
  isBusy(family: 4 | 6, port: number): boolean {
    const name = family === 4 ? "tcp4" : "tcp6";
    return this.#connected[name][port] === 1 || this.#tables[name].kinds[port] !== 0;
  }

  /** What the source holds open here, as of the last reading of connections. For IPv6, its whole /64. */
  standingOf(family: 4 | 6, s0: number, s1: number): Standing {
    const { words, ports } = this.#connections;
    const distinct = new Set<number>();
    let connections = 0;
    for (let i = 0; i < ports.length; i++) {
      const isSame = words[i * 4] === s0 && (family === 4 || words[i * 4 + 1] === s1);
      const isFamily = (words[i * 4 + 2] === 0 && words[i * 4 + 3] === 0) === (family === 4);
      if (!isSame || !isFamily) continue;
      connections++;
      distinct.add(ports[i]!);
    }
    return { connections, ports: distinct.size };
  }

  /** What the kernel's filter may keep to itself. */
  ordinary(): Ordinary {
    return {
      open: {
        tcp4: this.#tables.tcp4.ranges(),
        tcp6: this.#tables.tcp6.ranges(),
        udp4: this.#tables.udp4.ranges(),
        udp6: this.#tables.udp6.ranges(),
      },
      busy: { tcp4: this.#busy("tcp4"), tcp6: this.#busy("tcp6") },
      ephemeral: this.#ephemeral(),
    };
  }

  #tableOf(family: 4 | 6, protocol: number): PortTable | null {
    if (protocol === PROTOCOL.tcp) return family === 4 ? this.#tables.tcp4 : this.#tables.tcp6;
    if (protocol === PROTOCOL.udp) return family === 4 ? this.#tables.udp4 : this.#tables.udp6;
    return null;
  }

  #take(protocol: "tcp" | "udp", row: SocketRow, wide: boolean, nowS: number): true {
    this.#tables[`${protocol}${row.family}`].add(row, nowS);
    // A socket on :: takes IPv4 as well, unless it asked not to; the table does not tell, so it counts for both.
    if (wide && row.family === 6 && isWildcard(row)) this.#tables[`${protocol}4`].add(row, nowS);
    return true;
  }

  #read(protocol: "tcp" | "udp", wide: boolean, states: number, take: (row: SocketRow) => boolean): void {
    if (this.#root === null) {
      try {
        dumpSockets({ protocol, wide, states }, take);
        return;
      } catch {
        // A kernel without sock_diag for this protocol: it tells the same as text, some milliseconds slower.
      }
    }
    const path = `${this.#root ?? "/proc/self/net"}/${protocol}${wide ? "6" : ""}`;
    try {
      readTable(path, wide, take);
    } catch (error) {
      // A kernel without IPv6 has no tcp6; anything else means that ports in use look closed, which must be told.
      if ((error as NodeJS.ErrnoException).code === "ENOENT" && wide) return;
      this.#unreadable = `${path}: ${(error as Error).message}`;
    }
  }

  #busy(name: "tcp4" | "tcp6"): PortRange[] {
    const connected = this.#connected[name];
    const { kinds } = this.#tables[name];
    return toRanges((port) => connected[port] === 1 || kinds[port] !== 0);
  }

  #ephemeral(): PortRange {
    try {
      const text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1");
      const [first, last] = text.trim().split(/\s+/).map(Number);
      if (first! > 0 && last! >= first! && last! <= 65_535) return [first!, last!];
    } catch {
      // Not mounted, as in some containers: the kernel's default serves.
    }
    return [32_768, 60_999];
  }
}

function isWildcard(row: SocketRow): boolean {
  return row.local0 === 0 && row.local1 === 0 && row.local2 === 0 && row.local3 === 0;
}

/** Reads a table in chunks of whole lines until it ends or `take` has enough. */
function readTable(path: string, wide: boolean, take: (row: SocketRow) => boolean): void {
  const file = openSync(path, "r");
  try {
    const buffer = new Uint8Array(CHUNK_BYTES);
    let kept = 0;
    let goOn = true;
    while (goOn) {
      const count = readSync(file, buffer, kept, buffer.length - kept, null);
      if (count === 0) break;
      const end = kept + count;
      const whole = buffer.lastIndexOf(10, end - 1) + 1;
      parseSockets(buffer.subarray(0, whole), wide, (row) => (goOn = take(row)));
      buffer.copyWithin(0, whole, end);
      kept = end - whole;
    }
  } finally {
    closeSync(file);
  }
}

function toRanges(holds: (port: number) => boolean): PortRange[] {
  const out: [number, number][] = [];
  for (let port = 0; port < 65_536; port++) {
    if (!holds(port)) continue;
    const before = out.at(-1);
    if (before !== undefined && before[1] === port - 1) before[1] = port;
    else out.push([port, port]);
  }
  return out;
}
