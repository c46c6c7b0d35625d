// Reads INI text as Python's configparser does for fail2ban: sections, `name = value`, values that go on in indented lines,
// `%(name)s` standing for another value. Pure; hostile text costs a bounded amount of work.

export type IniEntry = {
  readonly section: string;
  readonly name: string;
  readonly value: string;
  readonly line: number;
};

const MAX_ENTRIES = 20_000;
const MAX_VALUE = 10_000;
const MAX_DEPTH = 10;

/** The entries in order; what is no entry is left out. */
export function parseIni(text: string): IniEntry[] {
  const entries: { section: string; name: string; value: string; line: number }[] = [];
  let section = "DEFAULT";
  let open: (typeof entries)[number] | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:[#;]|$)/.test(raw)) {
      if (raw.trim() === "") open = undefined;
      continue;
    }
    const line = raw.replace(/\s;.*$/, "");
    if (/^\s/.test(line) && open !== undefined) {
      if (open.value.length < MAX_VALUE) open.value = `${open.value} ${line.trim()}`.trim();
      continue;
    }
    const header = /^\[([^\]]{1,200})\]/.exec(line);
    if (header !== null) {
      section = header[1]!;
      open = undefined;
      continue;
    }
    const separator = line.search(/[=:]/);
    if (separator < 1 || entries.length >= MAX_ENTRIES) continue;
    open = {
      section,
      name: line.slice(0, separator).trim().toLowerCase(),
      value: line
        .slice(separator + 1)
        .trim()
        .slice(0, MAX_VALUE),
      line: index + 1,
    };
    entries.push(open);
  }
  return entries;
}

/** The value with every `%(name)s` put in; null when one is not known, or the whole grows too long. */
export function interpolate(
  value: string,
  lookUp: (name: string) => string | undefined,
  depth = 0,
): string | null {
  if (!value.includes("%(")) return value;
  if (depth >= MAX_DEPTH) return null;
  let known = true;
  const out = value.replace(/%\(([^)]{1,200})\)s/g, (_, name: string) => {
    const found = lookUp(name.toLowerCase());
    if (found === undefined) known = false;
    return found ?? "";
  });
  if (!known || out.length > MAX_VALUE || out === value) return null;
  return interpolate(out, lookUp, depth + 1);
}
