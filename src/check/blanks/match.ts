// Which bytes count as white space, because both rule files (blank lines are no rules) and log lines (trailing
// blanks are cut before any rule sees them) hang on it, and the two locales disagree.
import type { Locale } from "../types.ts";

/**
 * The end of the line once its trailing white space is cut.
 * In C.UTF-8 the white space beyond ASCII is glibc's class `space`: Unicode's separators without the no-break ones.
 */
export function trimmedEnd(bytes: Uint8Array, start: number, end: number, locale: Locale): number {
  let at = end;
  while (at > start) {
    const last = bytes[at - 1]!;
    if (last === 0x20 || (last >= 0x09 && last <= 0x0d)) at--;
    else if (last >= 0x80 && locale === "C.UTF-8" && at - start >= 3 && wideSpaceAt(bytes, at - 3)) at -= 3;
    else break;
  }
  return at;
}

/** Whether the line holds nothing but white space. */
export function isBlank(bytes: Uint8Array, start: number, end: number, locale: Locale): boolean {
  return trimmedEnd(bytes, start, end, locale) === start;
}

// U+1680, U+2000 to U+2006, U+2008 to U+200A, U+2028, U+2029, U+205F and U+3000 as UTF-8. All take three bytes and
// begin with a lead byte, so looking backwards finds exactly those that reading forwards would.
function wideSpaceAt(bytes: Uint8Array, at: number): boolean {
  const second = bytes[at + 1]!;
  const third = bytes[at + 2]!;
  switch (bytes[at]) {
    case 0xe1:
      return second === 0x9a && third === 0x80;
    case 0xe2:
      if (second === 0x81) return third === 0x9f;
      return (
        second === 0x80 &&
        ((third >= 0x80 && third <= 0x8a && third !== 0x87) || third === 0xa8 || third === 0xa9)
      );
    case 0xe3:
      return second === 0x80 && third === 0x80;
    default:
      return false;
  }
}
