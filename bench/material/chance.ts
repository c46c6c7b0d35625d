// Chance that repeats: every figure of a bench comes from the same bytes on every machine.

export type Chance = {
  /** A whole number from 0 up to but without `limit`. */
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
};

/** A stream of numbers that depends on the seed alone: splitmix32, a 32-bit mixer over a counter. */
export function makeChance(seed: number): Chance {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  const below = (limit: number) => Math.floor((next() / 2 ** 32) * limit);
  return { below, pick: (from) => from[below(from.length)]! };
}
