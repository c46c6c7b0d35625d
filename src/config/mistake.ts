// Says what is wrong with a line that is no TOML, by the mistakes that people make. The parser tells where it stopped, which is
// often behind the mistake. Values are not repeated: they may be secrets.

/** A line that the parser refused: its number from 1, the column, and the parser's words. */
export type Refused = {
  readonly text: string;
  readonly line: number;
  readonly column: number;
  readonly says: string;
};

/** What to write instead. */
export function mendOf({ text, line, column, says }: Refused): string {
  const written = (text.split("\n")[line - 1] ?? "").replace(/\r$/, "").trim();
  if (/^\[[^\]]*$/.test(written)) return `close the section's name: ${written}]`;
  if (/redefine|already defined/.test(says))
    return "write each section and each key once, and move what is below the second up";
  const [, key, value = ""] = /^([\w."'-]+)\s*=\s*(.*)$/.exec(written) ?? [];
  if (key === undefined) {
    return /^[\w."'-]+\s*:/.test(written)
      ? "write key = value, with = and not with :"
      : /^[\w.-]+\s*$/.test(written)
        ? `write ${written} = and a value`
        : `correct line ${line}, column ${column}`;
  }
  if (value === "" || value.startsWith("#")) return `write a value behind ${key} =`;
  if (/^["'][^"']*$/.test(value)) return `close the quotes of ${key}`;
  if (value.startsWith("[") && /comma/.test(says)) return `put a comma between the values of ${key}`;
  // A date or a number may be wrong in another way; a word can only want quotes.
  if (/^[A-Za-z/@*]/.test(value) || /^\d+[A-Za-z%./:]/.test(value))
    return `put the value in quotes: ${key} = "..."`;
  return `correct line ${line}, column ${column}`;
}
