// Lines that a pattern matches, and lines that it nearly matches: random walks through the parsed pattern. Real logs
// never exercise most rules; these lines exercise every one.
import { INVALID_BASE } from "../locale/symbols.ts";
import type { SetTable } from "../syntax/set-table.ts";
import type { SyntaxNode } from "../syntax/types.ts";

/** Numbers in [0, 1) from a seed (mulberry32, public domain). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** A line that `node` matches, apart from what its assertions ask of the neighbours. */
export function sampleLine(node: SyntaxNode, sets: SetTable, random: () => number): Buffer {
  const groups = new Map<number, Buffer>();
  const walk = (inner: SyntaxNode): Buffer => {
    switch (inner.kind) {
      case "empty":
      case "assert":
        return Buffer.alloc(0);
      case "set":
        return sampleSymbol(
          [...sets.low[inner.set]!, ...sets.highs[sets.highOf[inner.set]!]!],
          random,
          sets.locale === "C",
        );
      case "group": {
        const text = walk(inner.body);
        groups.set(inner.number, text);
        return text;
      }
      case "back-reference":
        return groups.get(inner.number) ?? Buffer.alloc(0);
      case "concat":
        return Buffer.concat(inner.items.map(walk));
      case "alternate":
        return walk(inner.branches[Math.floor(random() * inner.branches.length)]!);
      case "repeat": {
        const most = inner.max === -1 ? inner.min + 4 : Math.min(inner.max, inner.min + 6);
        const times = inner.min + Math.floor(random() * (most - inner.min + 1));
        return Buffer.concat(Array.from({ length: times }, () => walk(inner.body)));
      }
    }
  };
  return walk(node);
}

/** The line with one byte removed, doubled or replaced. */
export function mutate(line: Buffer, random: () => number): Buffer {
  const at = Math.floor(random() * (line.length + 1));
  const choice = Math.floor(random() * 3);
  const byte = Buffer.from([0x20 + Math.floor(random() * 0x5f)]);
  if (choice === 0) return Buffer.concat([line.subarray(0, at), line.subarray(at + 1)]);
  if (choice === 1) return Buffer.concat([line.subarray(0, at + 1), line.subarray(at)]);
  return Buffer.concat([line.subarray(0, at), byte, line.subarray(at + 1)]);
}

function sampleSymbol(ranges: readonly number[], random: () => number, bytes: boolean): Buffer {
  if (ranges.length === 0) return Buffer.alloc(0);
  // Mostly the first range, which in real rules is the ASCII one.
  const pair = random() < 0.7 ? 0 : Math.floor((random() * ranges.length) / 2);
  const low = ranges[pair * 2]!;
  const high = Math.min(ranges[pair * 2 + 1]!, low + 200);
  let symbol = low + Math.floor(random() * (high - low + 1));
  if (symbol === 0x0a || symbol === 0) symbol = ranges.length > 2 || high > 0x20 ? 0x20 : 0x0b;
  if (bytes) return Buffer.from([symbol]);
  if (symbol > INVALID_BASE) return Buffer.from([symbol - INVALID_BASE]);
  return Buffer.from(
    String.fromCodePoint(symbol >= INVALID_BASE || (symbol >= 0xd800 && symbol < 0xe000) ? 0x41 : symbol),
  );
}
