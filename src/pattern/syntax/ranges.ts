// Set algebra on sorted, disjoint, inclusive ranges `[low, high, low, high, …]`.
import type { Ranges } from "../locale/ctype.ts";

/** Sorts and merges ranges given in any order. */
export function normalise(ranges: Ranges): number[] {
  const order: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) order.push(i);
  order.sort((a, b) => ranges[a]! - ranges[b]!);
  const out: number[] = [];
  for (const i of order) append(out, ranges[i]!, ranges[i + 1]!);
  return out;
}

/** Everything that either of two normalised ranges has. */
export function union(one: Ranges, other: Ranges): number[] {
  const out: number[] = [];
  let i = 0;
  let j = 0;
  while (i < one.length || j < other.length) {
    if (j >= other.length || (i < one.length && one[i]! < other[j]!)) {
      append(out, one[i]!, one[i + 1]!);
      i += 2;
    } else {
      append(out, other[j]!, other[j + 1]!);
      j += 2;
    }
  }
  return out;
}

// Lows come in ascending order.
function append(out: number[], low: number, high: number): void {
  const last = out.length - 1;
  if (last > 0 && low <= out[last]! + 1) {
    if (high > out[last]!) out[last] = high;
  } else out.push(low, high);
}

/** The part of `ranges` that is not below `least`. */
export function from(ranges: Ranges, least: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i + 1]! >= least) out.push(Math.max(ranges[i]!, least), ranges[i + 1]!);
  }
  return out;
}

/** What `[least, most]` has and `ranges` (normalised, none below `least`) has not. */
export function complement(ranges: Ranges, least: number, most: number): number[] {
  const out: number[] = [];
  let next = least;
  for (let i = 0; i < ranges.length && ranges[i]! <= most; i += 2) {
    if (ranges[i]! > next) out.push(next, ranges[i]! - 1);
    next = ranges[i + 1]! + 1;
  }
  if (next <= most) out.push(next, most);
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
