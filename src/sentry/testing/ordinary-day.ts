// A day of a server's network as a list of moments, drawn by chance, that a test plays to an engine or writes into a
// recording; and the host's sockets in it.
import type { Address } from "../../core/address.ts";
import type { Craft } from "../craft.ts";
import { ESTABLISHED, LISTEN } from "../parse.ts";
import type { End, OpenSocket, SocketTables } from "../tables.ts";
import { PROTOCOL } from "../types.ts";
import { ACK, at, HOST4, HOST6, SYN } from "./engine-bench.ts";

/** How a frame was addressed at the link: to this host, to everybody, to a group. */
export type Cast = "one" | "all" | "group";
export type Moment = { readonly atMs: number } & (
  | { readonly packet: Craft; readonly cast: Cast }
  | { readonly socket: "opens" | "closes"; readonly protocol: number; readonly port: number }
  | { readonly connection: "stands" | "ends"; readonly peer: Address; readonly port: number }
);

const { tcp, udp } = PROTOCOL;
const FIN = 1;
const PSH = 8;
const EPHEMERAL = [32_768, 60_999] as const;

/** The services of the host, in use from the beginning to the end of the day. */
export const SERVED_TCP = [22, 25, 53, 80, 111, 443, 2049, 8001, 8002, 8003, 8004, 8005, 8006] as const;
export const SERVED_UDP = [53, 67, 111, 123, 5060] as const;

/** A day to be filled. Chance comes as a function that gives numbers from 0 up to 1. */
export class Day {
  readonly moments: Moment[] = [];
  readonly #chance: () => number;
  #peers = 0;

  constructor(chance: () => number) {
    this.#chance = chance;
    for (const port of SERVED_TCP) this.socket(0, "opens", tcp, port);
    for (const port of SERVED_UDP) this.socket(0, "opens", udp, port);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#chance() * (high - low + 1));
  }

  ephemeral(): number {
    return this.between(...EPHEMERAL);
  }

  /** Somebody who has taken part in nothing else, on this network or far away. */
  peer(): Address {
    const n = ++this.#peers;
    return at(`198.${18 + (n >>> 16)}.${(n >>> 8) & 255}.${n & 255}`);
  }

  peer6(): Address {
    return at(`2001:db8:${(++this.#peers).toString(16)}::7`);
  }

  /** A packet to the host. */
  send(atMs: number, source: Address, packet: Partial<Craft>): void {
    const target = source.includes(":") ? HOST6 : HOST4;
    this.moments.push({ atMs, packet: { target, ...packet, source }, cast: "one" });
  }

  /** A packet from the host. */
  reply(atMs: number, target: Address, packet: Partial<Craft>): void {
    const source = target.includes(":") ? HOST6 : HOST4;
    this.moments.push({
      atMs,
      packet: { source, ...packet, target, sent: true },
      cast: target.startsWith("239.") ? "group" : "one",
    });
  }

  /** A packet to everybody, or to a group. */
  spread(atMs: number, source: Address, target: string, packet: Partial<Craft>): void {
    const cast = target.endsWith(".255") ? "all" : "group";
    this.moments.push({ atMs, packet: { ...packet, source, target: at(target) }, cast });
  }

  socket(atMs: number, socket: "opens" | "closes", protocol: number, port: number): void {
    this.moments.push({ atMs, socket, protocol, port });
  }

  /** A whole connection to a port in use that stands for a while. */
  visit(atMs: number, peer: Address, port: number, forMs: number): void {
    const sourcePort = this.ephemeral();
    this.send(atMs, peer, { port, sourcePort });
    this.reply(atMs + 1, peer, { sourcePort: port, port: sourcePort, flags: SYN | ACK });
    this.moments.push({ atMs: atMs + 2, connection: "stands", peer, port });
    this.send(atMs + 3, peer, { port, sourcePort, flags: ACK | PSH });
    this.send(atMs + forMs, peer, { port, sourcePort, flags: ACK | FIN });
    this.moments.push({ atMs: atMs + forMs + 1, connection: "ends", peer, port });
  }

  /** One attempt at a closed TCP port: a SYN, and the same again where nobody answers. */
  knock(atMs: number, peer: Address, port: number): void {
    const sourcePort = this.ephemeral();
    for (const laterMs of [0, 1_000, 3_000]) this.send(atMs + laterMs, peer, { port, sourcePort });
  }

  /** In the order of time. */
  inOrder(): Moment[] {
    return this.moments.toSorted((a, b) => a.atMs - b.atMs);
  }
}

/** A scan in the midst: unused ports, each once, at any pace, with touches of open ones between. */
export function scanAmong(day: Day, t: number, ports: readonly number[], paceMs: number): Address {
  const scanner = day.peer();
  for (const [n, port] of ports.entries()) {
    day.send(t + n * paceMs, scanner, { port, sourcePort: 50_123, window: 1_024 });
    if (n % 3 === 1) day.send(t + n * paceMs + 1, scanner, { port: 22, sourcePort: 50_123, window: 1_024 });
  }
  return scanner;
}

/** The sockets of the day's host, as its kernel would tell them. */
export class DaySockets implements SocketTables {
  readonly #open = new Set<string>();
  /** Peer and port of the connections that stand, with how many there are. */
  readonly #standing = new Map<string, number>();

  take(moment: Moment): void {
    if ("socket" in moment) {
      const key = `${moment.protocol} ${moment.port}`;
      if (moment.socket === "opens") this.#open.add(key);
      else this.#open.delete(key);
    } else if ("connection" in moment) {
      const key = `${wordOf(moment.peer)} ${moment.port}`;
      const count = (this.#standing.get(key) ?? 0) + (moment.connection === "stands" ? 1 : -1);
      if (count > 0) this.#standing.set(key, count);
      else this.#standing.delete(key);
    }
  }

  open(protocol: number, take: (socket: OpenSocket) => void): void {
    for (const key of this.#open) {
      const [its, port] = key.split(" ").map(Number) as [number, number];
      if (its !== protocol) continue;
      for (const family of [4, 6] as const)
        take({ family, local0: 0, local1: 0, local2: 0, local3: 0, localPort: port });
    }
  }

  find(_family: 4 | 6, protocol: number, local: End, remote: End): number {
    const port = local[4];
    if (protocol === tcp && remote[4] !== 0 && this.#standing.has(`${remote[0] >>> 0} ${port}`))
      return ESTABLISHED;
    return this.#open.has(`${protocol} ${port}`) ? LISTEN : 0;
  }

  connectionsOf(_family: 4 | 6, source: readonly [number, number, number, number]): number[] {
    const ports: number[] = [];
    for (const [key, count] of this.#standing) {
      const [word, port] = key.split(" ").map(Number) as [number, number];
      if (word === source[0] >>> 0) ports.push(...Array.from({ length: Math.min(64, count) }, () => port));
    }
    return ports;
  }

  close(): void {}
}

function wordOf(peer: Address): number {
  const [a, b, c, d] = peer.split(".").map(Number);
  return ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
}
