// Reads a pattern as its bytes stand in a rule file, and settles which of grep's two readings has the last word.
import { decodeAt, decodeSymbols, plainLimit } from "../locale/symbols.ts";
import type { Locale } from "../locale/types.ts";
import { parsePattern, type Trail } from "./parse.ts";
import type { SetTable } from "./set-table.ts";
import type { SyntaxFault, SyntaxNode } from "./types.ts";

const NEWLINE = 0x0a;

// A line matches a pattern line when it matches `node` and, where there is one, `filter`.
export type PatternLine = { readonly node: SyntaxNode; readonly filter: SyntaxNode | null };

export type Pattern = { readonly lines: readonly PatternLine[]; readonly hasBackReference: boolean };

/**
 * Reads a pattern. One that holds newlines is several pattern lines; a haystack line matches when one of them does.
 * The fault's position is a byte offset.
 * @param trail the same for all patterns of a set, or none
 */
export function readPattern(
  bytes: Uint8Array,
  sets: SetTable,
  trail?: Trail,
): Pattern | { readonly fault: SyntaxFault } {
  const lines: PatternLine[] = [];
  let hasBackReference = false;
  for (let start = 0; start <= bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    const symbols = decodeSymbols(bytes, start, end, sets.locale);
    // grep lets the matcher's reader judge every pattern, then uses its own reading where its automaton suffices,
    // and both where it does not.
    let parsed = parsePattern(symbols, sets, "matcher", trail);
    let filter: SyntaxNode | null = null;
    if (!("fault" in parsed) && parsed.readingMatters) {
      const automaton = parsePattern(symbols, sets, "automaton");
      if ("fault" in automaton || !automaton.wantsMatcher) parsed = automaton;
      else {
        const read = parsePattern(symbols, sets, "filter");
        if (!("fault" in read)) filter = read.node;
      }
    }
    if ("fault" in parsed) {
      return {
        fault: { ...parsed.fault, position: byteOffset(bytes, start, parsed.fault.position, sets.locale) },
      };
    }
    lines.push({ node: parsed.node, filter });
    if (parsed.hasBackReference) hasBackReference = true;
    start = end + 1;
  }
  return { lines, hasBackReference };
}

function byteOffset(bytes: Uint8Array, start: number, symbols: number, locale: Locale): number {
  const plain = plainLimit(locale);
  let at = start;
  for (let i = 0; i < symbols && at < bytes.length; i++) {
    at += bytes[at]! <= plain ? 1 : decodeAt(bytes, at, bytes.length) & 7;
  }
  return at;
}
