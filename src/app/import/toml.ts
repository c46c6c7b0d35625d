// Writes what an import found as a telltale.toml that a person can read and go on with.
import { tomlValue } from "../../config/render.ts";
import { showable } from "../../core/hostile.ts";
import type { Directive, Imported } from "./types.ts";

const MAX_COMMENT = 160;
// Of a list that came from many lines, so many are named.
const MAX_ORIGINS = 12;

/** The file's text; every key says which line it came from. */
export function importedToml({ directives, settings }: Imported): string {
  const files = [...new Set(directives.map(({ file }) => file))].length;
  const out = [
    `# Made by telltale import from ${files} ${files === 1 ? "file" : "files"}. See telltale.toml(5) for every key.`,
    "# What logrotate, logcheck and PortSentry have in their own files is read there, and is not repeated here.",
  ];
  let section = "";
  for (const { key, value, from } of settings) {
    const [of, name] = key.split(".") as [string, string];
    if (of !== section) out.push("", `[${of}]`);
    section = of;
    for (const directive of from.slice(0, MAX_ORIGINS)) out.push(comment(directive));
    if (from.length > MAX_ORIGINS) out.push(`# and ${from.length - MAX_ORIGINS} lines more`);
    out.push(`${name} = ${tomlValue(value)}`);
  }
  return `${out.join("\n")}\n`;
}

function comment({ file, line, name, value }: Directive): string {
  const text = showable(`${file}:${line}: ${name} ${value}`.replaceAll("\t", " ").trimEnd());
  return `# ${text.length > MAX_COMMENT ? `${text.slice(0, MAX_COMMENT)}...` : text}`;
}
