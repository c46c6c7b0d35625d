// Finds the line that a log is flooded with: what varies in a line (numbers, addresses, identifiers) is masked, and what is left
// is counted. Pure. The masking is Drain's first step (He et al., ICWS 2017); its tree is left out, because a flood is
// of few kinds.

export type Template = {
  /** The line with `<n>`, `<ip>` and so on for what varies. */
  readonly text: string;
  readonly count: number;
  readonly bytes: number;
};

// The head of a syslog line: its time and host say nothing about its kind (RFC 3164 section 4.1, RFC 3339).
const HEAD =
  /^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:?\d\d)?) [\w.:-]+ /;
// Longest kind first, since an address holds numbers.
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, "<uuid>"],
  [/\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?/g, "<time>"],
  [/\b\d{1,2}\/[A-Z][a-z]{2}\/\d{4}:[\d:]+(?: [+-]\d{4})?/g, "<time>"],
  [/\b(?:\d{1,3}\.){3}\d{1,3}\b/g, "<ip>"],
  [/(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi, "<ip>"],
  [/\b0x[0-9a-f]+\b/gi, "<hex>"],
  [/\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b/gi, "<hex>"],
  [/\d+(?:\.\d+)*/g, "<n>"],
];
// A line longer than this is cut before it is looked at: what makes its kind stands in front.
const MAX_LINE = 400;
// Kinds remembered; past it, new kinds are only counted.
const MAX_KINDS = 1_000;

/** The line with what varies masked. */
export function maskLine(line: string): string {
  let text = line.slice(0, MAX_LINE).replace(HEAD, "");
  for (const [pattern, mask] of MASKS) text = text.replace(pattern, mask);
  return text;
}

/** The most frequent kinds of these lines, by the bytes they take. */
export function frequentTemplates(lines: Iterable<string>, most: number): Template[] {
  const kinds = new Map<string, { count: number; bytes: number }>();
  for (const line of lines) {
    if (line === "") continue;
    const text = maskLine(line);
    const kind = kinds.get(text);
    if (kind !== undefined) {
      kind.count++;
      kind.bytes += line.length + 1;
    } else if (kinds.size < MAX_KINDS) kinds.set(text, { count: 1, bytes: line.length + 1 });
  }
  return [...kinds]
    .map(([text, { count, bytes }]) => ({ text, count, bytes }))
    .sort((a, b) => b.bytes - a.bytes || b.count - a.count || (a.text < b.text ? -1 : 1))
    .slice(0, most);
}
