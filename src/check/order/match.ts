// The order of lines in a report: what `sort -k 1,3 -s` gives in a locale that collates by code point. Three fields
// are a traditional timestamp, so lines of one second keep the order in which their logs were read.

/**
 * The end of the sort key of the line `bytes[start, end)`: the end of its third field. A field is a run of other
 * bytes with the blanks before it (POSIX.1-2017, sort, option -k).
 */
export function sortKeyEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (let field = 0; field < 3; field++) {
    while (at < end && isFieldBlank(bytes[at]!)) at++;
    while (at < end && !isFieldBlank(bytes[at]!)) at++;
  }
  return at;
}

/** Below, at or above zero, as the first range of bytes sorts before, with or after the second. */
export function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const shorter = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < shorter; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

function isFieldBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}
