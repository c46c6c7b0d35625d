// Finds where keys were written. The TOML parser keeps no positions; keys in ordinary form are found here, for any
// other form the section's line has to do.

/** `section` and `section.key` → 1-based line. */
export function keyLines(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  let section = "";
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*\[\s*([\w"'.\s-]+?)\s*\]/.exec(line);
    if (header) {
      section = header[1]!.replace(/["'\s]/g, "");
      lines.set(section, index + 1);
      continue;
    }
    const key = /^\s*"?([\w-]+)"?(?:\s*\.\s*"?([\w-]+)"?)?\s*=/.exec(line);
    if (!key) continue;
    const path = [section, key[1], key[2]].filter((part) => part !== undefined && part !== "").join(".");
    if (!lines.has(path)) lines.set(path, index + 1);
  }
  return lines;
}
