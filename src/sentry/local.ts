// The addresses of this host, numbered: a packet to another one is somebody else's business, and evidence keeps a
// number instead of sixteen bytes.
import { networkInterfaces } from "node:os";
import { type Address, bytesOfAddress, familyOf, parseAddress } from "../core/address.ts";

// A number fits into 16 bits of evidence. A host with more addresses than this has the rest unwatched, and told so.
export const MAX_TARGETS = 32_768;

/** Numbered addresses. Numbers stay with their address for good, so that old evidence keeps its meaning. */
export class LocalAddresses {
  readonly #buckets = new Map<number, number[]>();
  readonly #addresses: Address[] = [];
  readonly #words: number[] = [];
  #present = new Uint8Array(64);
  /** Every address is one of ours. */
  readonly any: boolean;

  /** @param any number every target that comes by, for recordings from elsewhere */
  constructor(options: { any?: boolean } = {}) {
    this.any = options.any ?? false;
  }

  /** Reads the interfaces' addresses anew. */
  refresh(): void {
    this.#present.fill(0);
    for (const entries of Object.values(networkInterfaces())) {
      for (const { address } of entries ?? []) {
        const parsed = parseAddress(address.split("%")[0]!);
        if (parsed !== null) this.add(parsed);
      }
    }
  }

  /** Makes an address one of ours. */
  add(address: Address): void {
    const number = this.number(address);
    if (number >= 0) this.#present[number] = 1;
  }

  /** The address's number, also when it is not ours (any more); -1 when there are too many. */
  number(address: Address): number {
    const [w0, w1, w2, w3] = wordsOf(address);
    const number = this.#find(w0, w1, w2, w3, familyOf(address));
    return number >= 0 ? number : this.#append(address, w0, w1, w2, w3);
  }

  /** The addresses that are ours now, as words. */
  own(): { ipv4: number[]; ipv6: [number, number, number, number][] } {
    const ipv4: number[] = [];
    const ipv6: [number, number, number, number][] = [];
    for (const [number, address] of this.#addresses.entries()) {
      if (this.#present[number] !== 1) continue;
      const [w0, w1, w2, w3] = this.wordsOf(number);
      if (familyOf(address) === 4) ipv4.push(w0);
      else ipv6.push([w0, w1, w2, w3]);
    }
    return { ipv4, ipv6 };
  }

  /** The address's number, or -1 when it is not ours (now). */
  numberOf(family: 4 | 6, w0: number, w1: number, w2: number, w3: number): number {
    const number = this.#find(w0, w1, w2, w3, family);
    if (number >= 0) return this.#present[number] === 1 ? number : -1;
    if (!this.any) return -1;
    const address = addressOfWords(family, w0, w1, w2, w3);
    const appended = this.#append(address, w0, w1, w2, w3);
    if (appended >= 0) this.#present[appended] = 1;
    return appended;
  }

  /** Whether the address is one of ours now. */
  isOurs(address: Address): boolean {
    return this.numberOf(familyOf(address), ...wordsOf(address)) >= 0;
  }

  /** The address of a number that numberOf gave. */
  addressOf(number: number): Address {
    return this.#addresses[number]!;
  }

  /** The words of a number that numberOf gave. */
  wordsOf(number: number): readonly [number, number, number, number] {
    const at = number * 4;
    return [this.#words[at]!, this.#words[at + 1]!, this.#words[at + 2]!, this.#words[at + 3]!];
  }

  #find(w0: number, w1: number, w2: number, w3: number, family: 4 | 6): number {
    const bucket = this.#buckets.get((w0 ^ w1 ^ w2 ^ w3) >>> 0);
    if (bucket === undefined) return -1;
    for (const number of bucket) {
      const at = number * 4;
      if (
        this.#words[at] === w0 &&
        this.#words[at + 1] === w1 &&
        this.#words[at + 2] === w2 &&
        this.#words[at + 3] === w3 &&
        familyOf(this.#addresses[number]!) === family
      )
        return number;
    }
    return -1;
  }

  #append(address: Address, w0: number, w1: number, w2: number, w3: number): number {
    const number = this.#addresses.length;
    if (number >= MAX_TARGETS) return -1;
    this.#addresses.push(address);
    this.#words.push(w0, w1, w2, w3);
    if (number >= this.#present.length) {
      const wider = new Uint8Array(this.#present.length * 2);
      wider.set(this.#present);
      this.#present = wider;
    }
    const key = (w0 ^ w1 ^ w2 ^ w3) >>> 0;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, [number]);
    else bucket.push(number);
    return number;
  }
}

/** Four words in host order; IPv4 has its address in the first, the others 0. */
export function wordsOf(address: Address): [number, number, number, number] {
  const bytes = bytesOfAddress(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 4) return [view.getUint32(0), 0, 0, 0];
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
}

/** The address that wordsOf took apart. */
export function addressOfWords(family: 4 | 6, w0: number, w1: number, w2: number, w3: number): Address {
  if (family === 4) {
    return `${w0 >>> 24}.${(w0 >>> 16) & 255}.${(w0 >>> 8) & 255}.${w0 & 255}` as Address;
  }
  const groups = [w0, w1, w2, w3].flatMap((word) => [
    (word >>> 16).toString(16),
    (word & 0xffff).toString(16),
  ]);
  return parseAddress(groups.join(":"))!;
}
