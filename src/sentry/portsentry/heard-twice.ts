// Knows a packet again that was heard on a second interface: on the port of a bridge and on the bridge, on a network card and on
// the VLAN upon it. PortSentry counts packets, and each of them would be two.
import { randomInt } from "node:crypto";
import { finish, mix } from "../hash.ts";
import type { Frame, Packet } from "../types.ts";

// The kernel hands a packet from one interface to the next within microseconds; packets of other processors come between.
const WITHIN_MS = 5;
const REMEMBERED = 64;
// Of the transport header: ports and sequence number, or the whole of UDP's.
const TRANSPORT_BYTES = 8;

export class HeardTwice {
  readonly #seed = randomInt(2 ** 31);
  readonly #hash = new Int32Array(REMEMBERED);
  readonly #interface = new Int32Array(REMEMBERED);
  readonly #atMs = new Float64Array(REMEMBERED);
  #next = 0;

  /** Whether this very packet came by on another interface a moment ago. */
  has({ bytes, end, interfaceIndex, atMs }: Frame, packet: Packet): boolean {
    let hash = this.#seed;
    const last = Math.min(end, packet.transportAt + TRANSPORT_BYTES);
    for (let at = packet.networkAt; at < last; at++) hash = mix(hash, bytes[at]!);
    hash = finish(hash) | 0;
    for (let i = 0; i < REMEMBERED; i++) {
      if (this.#hash[i] !== hash || this.#interface[i] === interfaceIndex) continue;
      if (Math.abs(atMs - this.#atMs[i]!) <= WITHIN_MS) return true;
    }
    this.#hash[this.#next] = hash;
    this.#interface[this.#next] = interfaceIndex;
    this.#atMs[this.#next] = atMs;
    this.#next = (this.#next + 1) % REMEMBERED;
    return false;
  }
}
