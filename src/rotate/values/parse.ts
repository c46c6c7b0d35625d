// The values that directives take: whole numbers, sizes, users and groups, each as logrotate reads it.

/** A whole number as strtoul reads it with base 0 (`010` is eight, `0x10` sixteen), with an optional sign; or null. */
export function parseWholeNumber(text: string): number | null {
  const hit = /^([+-]?)(?:0[xX]([0-9a-fA-F]{1,12})|(0[0-7]{0,16})|([1-9][0-9]{0,14}))$/.exec(text.trim());
  if (hit === null) return null;
  const size =
    hit[2] !== undefined
      ? Number.parseInt(hit[2], 16)
      : hit[3] !== undefined
        ? Number.parseInt(hit[3], 8)
        : Number(hit[4]);
  return hit[1] === "-" ? -size : size;
}

/** `100`, `100k`, `100M`, `1G`: bytes in powers of 1024; null for anything else. */
export function parseSizeBytes(text: string): number | null {
  const hit = /^(\S*?)([kMG]?)$/.exec(text.trim());
  const count = hit === null ? null : parseWholeNumber(hit[1]!);
  if (hit === null || count === null || count < 0) return null;
  return count * { "": 1, k: 1024, M: 1024 ** 2, G: 1024 ** 3 }[hit[2] as "" | "k" | "M" | "G"];
}

/** A user or group: by name first, then by number, as logrotate resolves them; `:123` is always the number. */
export function lookUp(word: string, byName: (name: string) => number | null): number | null {
  const numeric = /^:?(\d{1,10})$/.exec(word);
  return (
    (word.startsWith(":") ? null : byName(word)) ??
    (numeric === null || Number(numeric[1]) > 0xffff_fffe ? null : Number(numeric[1]))
  );
}

/** Levenshtein distance, given up at `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
