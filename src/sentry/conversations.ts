// Remembers to whom this host has sent datagrams, so that an answer is not taken for a probe. The socket table cannot
// tell: a resolver's socket is closed microseconds after its answer came, before anybody could look.
//
// A question to everybody (SSDP, mDNS, WS-Discovery) is answered by whoever likes, from any port, up to seconds later: after
// one, whatever comes to the port that asked is an answer. Somebody who guesses that port has one port for two minutes.
import { finish, mix } from "./hash.ts";
import type { Packet } from "./types.ts";

// Answers that come later than this are answered by nobody any more (resolvers give up after seconds, NTP after one).
const LIFETIME_MS = 120_000;
const DEFAULT_SLOTS = 1 << 16;
const WAYS = 4;

/** A table of fixed size; the oldest of four neighbours gives way. */
export class Conversations {
  readonly #slots: number;
  readonly #tags: Uint32Array;
  readonly #sentAtS: Uint32Array;
  readonly #seed: number;

  /** @param seed secret, so that nobody can choose which entries share a slot */
  constructor(seed: number, slots = DEFAULT_SLOTS) {
    this.#slots = slots;
    this.#seed = seed;
    this.#tags = new Uint32Array(slots);
    this.#sentAtS = new Uint32Array(slots);
  }

  /** Notes a datagram that was sent. */
  remember(sent: Packet): void {
    const tag = isToMany(sent) ? this.#tagOfPort(sent.family, sent.sourcePort) : this.#tagOf(sent, true);
    const nowS = Math.floor(sent.atMs / 1_000);
    const first = this.#slotOf(tag);
    let oldest = first;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#tags[slot] === tag) {
        this.#sentAtS[slot] = nowS;
        return;
      }
      if (this.#sentAtS[slot]! < this.#sentAtS[oldest]!) oldest = slot;
    }
    this.#tags[oldest] = tag;
    this.#sentAtS[oldest] = nowS;
  }

  /** Whether the datagram answers one that was sent lately. */
  has(received: Packet): boolean {
    const { atMs } = received;
    return (
      this.#holds(this.#tagOf(received, false), atMs) ||
      this.#holds(this.#tagOfPort(received.family, received.targetPort), atMs)
    );
  }

  #holds(tag: number, atMs: number): boolean {
    const first = this.#slotOf(tag);
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#tags[slot] === tag && atMs - this.#sentAtS[slot]! * 1_000 < LIFETIME_MS) return true;
    }
    return false;
  }

  #slotOf(tag: number): number {
    return ((Math.imul(tag, 0x9e37_79b1) >>> 0) % (this.#slots / WAYS)) << 2;
  }

  /** 32 bits of remote address, remote port and local port; never 0. */
  #tagOf(packet: Packet, sent: boolean): number {
    let h = this.#seed;
    if (sent) {
      h = mix(h, packet.target0);
      h = mix(h, packet.target1);
      h = mix(h, packet.target2);
      h = mix(h, packet.target3);
      h = mix(h, (packet.targetPort << 16) | packet.sourcePort);
    } else {
      h = mix(h, packet.source0);
      h = mix(h, packet.source1);
      h = mix(h, packet.source2);
      h = mix(h, packet.source3);
      h = mix(h, (packet.sourcePort << 16) | packet.targetPort);
    }
    return finish(h) || 1;
  }

  /** The same of a local port alone, for questions to everybody. */
  #tagOfPort(family: 4 | 6, port: number): number {
    return finish(mix(mix(this.#seed, family), port)) || 1;
  }
}

/** Multicast (RFC 5771, RFC 4291), the whole network (RFC 919), or what looks like the broadcast address of some network. */
function isToMany({ family, target0 }: Packet): boolean {
  if (family === 6) return target0 >>> 24 === 0xff;
  return target0 >>> 28 === 0xe || (target0 & 0xff) === 0xff;
}
