// Set algebra on sorted, disjoint, inclusive ranges `[low, high, low, high, …]`.
import type { Ranges } from "../locale/ctype.ts";

/** Sorts and merges ranges given in any order. */
export function normalise(ranges: Ranges): number[] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i]!, ranges[i + 1]!]);
  pairs.sort((a, b) => a[0] - b[0]);
  const out: number[] = [];
  for (const [low, high] of pairs) {
    if (out.length > 0 && low <= out[out.length - 1]! + 1) {
      out[out.length - 1] = Math.max(out[out.length - 1]!, high);
    } else out.push(low, high);
  }
  return out;
}

/** What `[0, limit]` has and `ranges` (normalised) has not. */
export function complement(ranges: Ranges, limit: number): number[] {
  const out: number[] = [];
  let next = 0;
  for (let i = 0; i < ranges.length && ranges[i]! <= limit; i += 2) {
    if (ranges[i]! > next) out.push(next, ranges[i]! - 1);
    next = ranges[i + 1]! + 1;
  }
  if (next <= limit) out.push(next, limit);
  return out;
}

/** Whether normalised `ranges` hold `symbol`. */
export function holds(ranges: Ranges, symbol: number): boolean {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle * 2]! > symbol) high = middle;
    else if (ranges[middle * 2 + 1]! < symbol) low = middle + 1;
    else return true;
  }
  return false;
}
