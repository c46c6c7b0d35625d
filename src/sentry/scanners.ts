// What a known scanner does further, at a cost that does not grow with it: a counter, and a bitmap from which the number
// of distinct contacts is estimated (linear counting: Whang, Vander-Zanden, Taylor, 1990).

import { finish, mix } from "./hash.ts";

const BITS = 2_048;
// With the bitmap of 256 bytes each, 2 MiB for all; the longest known gives way and is then only counted, not measured.
const MAX_RECORDS = 8_192;

export type Record = {
  readonly bitmap: Uint32Array;
  bitsSet: number;
  probes: number;
  /** Packets since somebody last asked. */
  packets: number;
  level: number;
  /** Wall time at which this scanner was last told; negative infinity when it was withheld. */
  toldAtMs: number;
  /** Wall time of a SYN to a port in use that was not looked after yet; 0 for none. */
  visitAtMs: number;
  proven: boolean;
  shape: "vertical" | "horizontal" | "tripwire" | "flags" | "sweep";
};

/** Records by the number of the suspect's entry. */
export class Scanners {
  readonly #records = new Map<number, Record>();

  get(entry: number): Record | undefined {
    return this.#records.get(entry);
  }

  entries(): IterableIterator<[number, Record]> {
    return this.#records.entries();
  }

  add(entry: number, record: Omit<Record, "bitmap" | "bitsSet" | "packets">): Record {
    if (this.#records.size >= MAX_RECORDS) {
      for (const oldest of this.#records.keys()) {
        this.#records.delete(oldest);
        break;
      }
    }
    const made = { ...record, bitmap: new Uint32Array(BITS / 32), bitsSet: 0, packets: 0 };
    this.#records.set(entry, made);
    return made;
  }

  remove(entry: number): void {
    this.#records.delete(entry);
  }
}

/** Counts a contact; true when it was a new one. */
export function mark(record: Record, hash: number): boolean {
  const bit = hash & (BITS - 1);
  const word = bit >>> 5;
  const mask = 1 << (bit & 31);
  if ((record.bitmap[word]! & mask) !== 0) return false;
  record.bitmap[word]! |= mask;
  record.bitsSet++;
  return true;
}

/** Distinct contacts marked, within a few percent up to about ten thousand; more look like ten thousand. */
export function estimate(record: Record): number {
  const clear = Math.max(1, BITS - record.bitsSet);
  return Math.round(-BITS * Math.log(clear / BITS));
}

/** By which a contact is marked. */
export function contactHash(target: number, port: number, protocol: number): number {
  return finish(mix(mix(target, port), protocol));
}
