// The addresses of this host, numbered: a packet to another one is somebody else's business, and evidence keeps a
// number instead of sixteen bytes.
import { networkInterfaces } from "node:os";
import { type Address, bytesOfAddress, familyOf, parseAddress } from "../core/address.ts";

// A number fits into 16 bits of evidence. A host with more addresses than this has the rest unwatched, and told so.
export const MAX_TARGETS = 32_768;

const LEAST_ROOM = 64;

/** Numbered addresses. Numbers stay with their address for good, so that old evidence keeps its meaning. */
export class LocalAddresses {
  readonly #addresses: Address[] = [];
  /** Numbers plus one, by the hash of their address; the next place where one is taken. At most half full. */
  #slots = new Uint16Array(4 * LEAST_ROOM);
  #words = new Int32Array(4 * LEAST_ROOM);
  #families = new Uint8Array(LEAST_ROOM);
  #present = new Uint8Array(LEAST_ROOM);
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
    // 224.0.0.0/3 and ff00::/8 are nobody's own: groups, and everybody (RFC 6890).
    const isGroup = family === 4 ? w0 >>> 29 === 7 : w0 >>> 24 === 0xff;
    if (!this.any || isGroup) return -1;
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
    const words = this.#words.subarray(number * 4, number * 4 + 4);
    return [words[0]! >>> 0, words[1]! >>> 0, words[2]! >>> 0, words[3]! >>> 0];
  }

  #find(w0: number, w1: number, w2: number, w3: number, family: 4 | 6): number {
    const words = this.#words;
    const last = this.#slots.length - 1;
    for (let slot = hashOf(w0, w1, w2, w3) & last; this.#slots[slot] !== 0; slot = (slot + 1) & last) {
      const number = this.#slots[slot]! - 1;
      const at = number * 4;
      if (
        words[at] === (w0 | 0) &&
        words[at + 1] === (w1 | 0) &&
        words[at + 2] === (w2 | 0) &&
        words[at + 3] === (w3 | 0) &&
        this.#families[number] === family
      )
        return number;
    }
    return -1;
  }

  #append(address: Address, w0: number, w1: number, w2: number, w3: number): number {
    const number = this.#addresses.length;
    if (number >= MAX_TARGETS) return -1;
    if (number >= this.#present.length) this.#widen();
    this.#addresses.push(address);
    this.#words.set([w0, w1, w2, w3], number * 4);
    this.#families[number] = familyOf(address);
    this.#place(number);
    return number;
  }

  #widen(): void {
    this.#words = copied(new Int32Array(this.#words.length * 2), this.#words);
    this.#families = copied(new Uint8Array(this.#families.length * 2), this.#families);
    this.#present = copied(new Uint8Array(this.#present.length * 2), this.#present);
    this.#slots = new Uint16Array(this.#slots.length * 2);
    for (let number = 0; number < this.#addresses.length; number++) this.#place(number);
  }

  #place(number: number): void {
    const last = this.#slots.length - 1;
    const [w0, w1, w2, w3] = this.wordsOf(number);
    let slot = hashOf(w0, w1, w2, w3) & last;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & last;
    this.#slots[slot] = number + 1;
  }
}

/** No secret is mixed in: what stands in the table are this host's addresses, and nobody else chooses those. */
function hashOf(w0: number, w1: number, w2: number, w3: number): number {
  const h = Math.imul(w0 ^ Math.imul(w1, 0x85eb_ca6b) ^ Math.imul(w2, 0xc2b2_ae35) ^ w3, 0x9e37_79b1);
  return h ^ (h >>> 15);
}

function copied<T extends Int32Array | Uint8Array>(into: T, from: T): T {
  into.set(from);
  return into;
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
