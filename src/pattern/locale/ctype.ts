// The character classes of a locale as ranges of symbols.
import { PACKED_CLASSES } from "./table.ts";
import type { ClassName, Locale } from "./types.ts";

/** Sorted, disjoint, inclusive ranges: `[low, high, low, high, …]`. */
export type Ranges = readonly number[];

const unpacked = new Map<ClassName, Ranges>();

function unicodeClass(name: ClassName): Ranges {
  let ranges = unpacked.get(name);
  if (ranges === undefined) {
    const out: number[] = [];
    let next = 0;
    const numbers = PACKED_CLASSES[name].split(",");
    for (let i = 0; i < numbers.length; i += 2) {
      const low = next + Number.parseInt(numbers[i]!, 36);
      const high = low + Number.parseInt(numbers[i + 1]!, 36);
      out.push(low, high);
      next = high + 1;
    }
    unpacked.set(name, (ranges = out));
  }
  return ranges;
}

/** The symbols of `[:name:]`. In the C locale only ASCII has classes. */
export function classRanges(name: ClassName, locale: Locale): Ranges {
  const ranges = unicodeClass(name);
  if (locale === "C.UTF-8") return ranges;
  const out: number[] = [];
  for (let i = 0; i < ranges.length && ranges[i]! < 0x80; i += 2) {
    out.push(ranges[i]!, Math.min(0x7f, ranges[i + 1]!));
  }
  return out;
}
