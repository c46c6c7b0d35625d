// Remembers who lately asked for a connection to a port in use. A stranger's success counts for him as a failure counts
// against him, and a connection that stands proves that his address is his own. Fixed size: the oldest of eight
// neighbours gives way, and eight connections are a crowd already.
import { finish, mix } from "./hash.ts";
import type { Packet } from "./types.ts";

/** One SYN to a port in use. */
export type Visit = {
  readonly target: number;
  readonly port: number;
  readonly sourcePort: number;
  readonly source: readonly [number, number, number, number];
  readonly interfaceIndex: number;
};

const WAYS = 8;
const DEFAULT_GROUPS = 2_048;
// source words, ports, target and interface, second
const WORDS = 8;
const PORTS = 4;
const TARGET = 5;
const INTERFACE = 6;
const AT_S = 7;

export class Visits {
  readonly #words: Uint32Array;
  readonly #groups: number;
  readonly #seed: number;

  constructor(seed: number, groups = DEFAULT_GROUPS) {
    this.#seed = seed;
    this.#groups = groups;
    this.#words = new Uint32Array(groups * WAYS * WORDS);
  }

  remember(packet: Packet, target: number): void {
    const words = this.#words;
    const ports = ((packet.sourcePort << 16) | packet.targetPort) >>> 0;
    const start = this.#groupOf(packet.family, packet.source0, packet.source1);
    let oldest = start;
    for (let at = start; at < start + WAYS * WORDS; at += WORDS) {
      const isSame =
        (words[at]! | 0) === (packet.source0 | 0) &&
        (words[at + 1]! | 0) === (packet.source1 | 0) &&
        (words[at + 2]! | 0) === (packet.source2 | 0) &&
        (words[at + 3]! | 0) === (packet.source3 | 0) &&
        words[at + PORTS] === ports;
      if (isSame) {
        oldest = at;
        break;
      }
      if (words[at + AT_S]! < words[oldest + AT_S]!) oldest = at;
    }
    words[oldest] = packet.source0;
    words[oldest + 1] = packet.source1;
    words[oldest + 2] = packet.source2;
    words[oldest + 3] = packet.source3;
    words[oldest + PORTS] = ports;
    words[oldest + TARGET] = target;
    words[oldest + INTERFACE] = packet.interfaceIndex;
    words[oldest + AT_S] = Math.floor(packet.atMs / 1_000);
  }

  /** The visits of a source that are remembered; of its whole /64 for IPv6. */
  of(family: 4 | 6, s0: number, s1: number): Visit[] {
    const words = this.#words;
    const start = this.#groupOf(family, s0 | 0, s1 | 0);
    const out: Visit[] = [];
    for (let at = start; at < start + WAYS * WORDS; at += WORDS) {
      if (words[at + AT_S] === 0 || words[at] !== s0 || words[at + 1] !== s1) continue;
      out.push({
        target: words[at + TARGET]!,
        port: words[at + PORTS]! & 0xffff,
        sourcePort: words[at + PORTS]! >>> 16,
        source: [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!],
        interfaceIndex: words[at + INTERFACE]!,
      });
    }
    return out;
  }

  #groupOf(family: 4 | 6, s0: number, s1: number): number {
    return (finish(mix(mix(mix(this.#seed, family), s0), s1)) % this.#groups) * WAYS * WORDS;
  }
}
