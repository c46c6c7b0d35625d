// The hash of the sentry's tables, and the count of the bits that it sets there. With a secret seed, nobody outside can choose which entries collide.

/** One round of MurmurHash3's 32-bit mixing (Appleby, public domain). */
export function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e_2d51);
  k = (k << 15) | (k >>> 17);
  h ^= Math.imul(k, 0x1b87_3593);
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe654_6b64) | 0;
}

/**
 * MurmurHash3's finish: every bit of the result depends on every bit that was mixed in. Of the 32 bits it gives 31, because
 * numbers above 2^31 would be objects on the heap.
 */
export function finish(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85eb_ca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35);
  return (h ^ (h >>> 16)) & 0x7fff_ffff;
}

/** How many bits of a 32-bit word are set. */
export function bitsIn(word: number): number {
  let v = word - ((word >>> 1) & 0x5555_5555);
  v = (v & 0x3333_3333) + ((v >>> 2) & 0x3333_3333);
  return (Math.imul((v + (v >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24) & 0xff;
}
