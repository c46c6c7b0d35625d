// Which symbols are one when case is ignored.
import { PACKED_UPPER } from "./table.ts";
import type { Locale } from "./types.ts";

function unpack(packed: string): Map<number, number> {
  const out = new Map<number, number>();
  const numbers = packed.split(",");
  let point = 0;
  for (let i = 0; i < numbers.length; i += 2) {
    point += Number.parseInt(numbers[i]!, 36);
    out.set(point, point + Number.parseInt(numbers[i + 1]!, 36));
  }
  return out;
}

let upper: Map<number, number> | undefined;
let partners: Map<number, number[]> | undefined;

/** The symbol's upper case, or itself. */
export function upperOf(symbol: number, locale: Locale): number {
  if (symbol < 0x80) return symbol >= 0x61 && symbol <= 0x7a ? symbol - 32 : symbol;
  if (locale === "C") return symbol;
  upper ??= unpack(PACKED_UPPER);
  return upper.get(symbol) ?? symbol;
}

/** Every other symbol that matches `symbol` when case is ignored: those with the same upper case. */
export function casePartners(symbol: number, locale: Locale): readonly number[] {
  if (locale === "C") {
    const letter = symbol | 0x20;
    return symbol < 0x80 && letter >= 0x61 && letter <= 0x7a ? [symbol ^ 0x20] : [];
  }
  if (partners === undefined) {
    partners = new Map();
    const sameUpper = new Map<number, number[]>();
    upper ??= unpack(PACKED_UPPER);
    for (const [from, to] of upper) {
      const group = sameUpper.get(to) ?? [to];
      group.push(from);
      sameUpper.set(to, group);
    }
    for (const group of sameUpper.values()) {
      for (const member of group) {
        partners.set(
          member,
          group.filter((other) => other !== member),
        );
      }
    }
  }
  return partners.get(symbol) ?? [];
}
