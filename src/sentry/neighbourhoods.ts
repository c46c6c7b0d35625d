// Watches over IPv6 /48s, because a site has 65,536 /64s to itself and can spread a scan over them, one probe each. A /48
// may also hold a whole town's telephones, so it takes many more contacts than one source does; after that, whoever in
// it probes at all is told at once.
import type { Thresholds } from "./detect.ts";
import { bitsIn, finish, mix } from "./hash.ts";
import type { Packet } from "./types.ts";

const WAYS = 4;
const GROUPS = 4_096;
const WORDS = 5;
const KEY0 = 0;
const KEY1 = 1;
const BITS = 2;
const SINCE_S = 3;
const SCANNING = 4;

export class Neighbourhoods {
  readonly #words = new Uint32Array(GROUPS * WAYS * WORDS);
  readonly #seed: number;
  readonly #leastBits: number;
  readonly #fadeS: number;

  constructor(seed: number, { siteBits, siteFadeMs }: Pick<Thresholds, "siteBits" | "siteFadeMs">) {
    this.#seed = seed;
    this.#leastBits = siteBits;
    this.#fadeS = siteFadeMs / 1_000;
  }

  /**
   * Counts a failed first contact; IPv4 has no neighbourhoods.
   * @param hash of target, port and protocol
   * @returns true when the packet's /48 as a whole is scanning
   */
  isScanning(packet: Packet, hash: number): boolean {
    if (packet.family === 4 || packet.source0 >>> 22 === 0x3fa) return false;
    const words = this.#words;
    const nowS = Math.floor(packet.atMs / 1_000);
    const at = this.#find(packet.source0, packet.source1 & 0xffff_0000, nowS);
    if (nowS - words[at + SINCE_S]! > this.#fadeS) {
      words[at + BITS] = 0;
      words[at + SCANNING] = 0;
      words[at + SINCE_S] = nowS;
    }
    words[at + BITS]! |= 1 << (hash & 31);
    if (bitsIn(words[at + BITS]!) >= this.#leastBits) words[at + SCANNING] = 1;
    return words[at + SCANNING] === 1;
  }

  /** The entry of a /48; the one that was begun first gives way. */
  #find(key0: number, key1: number, nowS: number): number {
    const words = this.#words;
    const wanted0 = key0 >>> 0;
    const wanted1 = key1 >>> 0;
    const start = (finish(mix(mix(this.#seed, key0), key1)) % GROUPS) * WAYS * WORDS;
    let oldest = start;
    for (let at = start; at < start + WAYS * WORDS; at += WORDS) {
      if (words[at + KEY0] === wanted0 && words[at + KEY1] === wanted1) return at;
      if (words[at + SINCE_S]! < words[oldest + SINCE_S]!) oldest = at;
    }
    words.fill(0, oldest, oldest + WORDS);
    words[oldest + KEY0] = wanted0;
    words[oldest + KEY1] = wanted1;
    words[oldest + SINCE_S] = nowS;
    return oldest;
  }
}
