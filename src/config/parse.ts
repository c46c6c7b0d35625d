// Reads the text of telltale.toml into a configuration. Pure. A bad value costs its key, never the file:
// the default stands in, the fault says so, and the caller decides what a fault means.
import type { ConfigFault } from "../core/errors.ts";
import { KEYS, type KeyDefinition, type KeyKind } from "./keys.ts";
import { nearest } from "./nearest.ts";
import type { Config, ReadConfig } from "./types.ts";
import { checkValue } from "./value.ts";

const DEFINITIONS: readonly KeyDefinition[] = KEYS;

/** The configuration that holds when there is no file. */
export function defaultConfig(): Config {
  return build(new Map());
}

/**
 * Reads one file's values.
 * @param file its name, for faults
 * @param text its text, for the line numbers of faults
 * @param table what the TOML parser made of it
 */
export function parseConfig(file: string, text: string, table: Record<string, unknown>): ReadConfig {
  const faults: ConfigFault[] = [];
  const values = new Map<string, unknown>();
  const lines = keyLines(text);
  for (const [section, body] of Object.entries(table)) {
    const inSection = DEFINITIONS.filter((key) => key.name.startsWith(`${section}.`));
    if (inSection.length === 0 || typeof body !== "object" || body === null || Array.isArray(body)) {
      const sections = [...new Set(DEFINITIONS.map((key) => key.name.split(".")[0]!))];
      faults.push({
        file,
        line: lines.get(section) ?? 0,
        key: section,
        message: inSection.length === 0 ? "is no section or key of telltale" : "wants to be a section",
        mend:
          inSection.length === 0
            ? `did you mean [${nearest(section, sections)}]?`
            : `write [${section}] on a line of its own`,
        consequence: "ignored",
      });
      continue;
    }
    for (const [key, value] of Object.entries(body)) {
      const name = `${section}.${key}`;
      const definition = inSection.find((known) => known.name === name);
      const line = lines.get(name) ?? lines.get(section) ?? 0;
      if (definition === undefined) {
        const names = inSection.map((known) => known.name.slice(section.length + 1));
        faults.push({
          file,
          line,
          key: name,
          message: "is no key of telltale",
          mend: `did you mean "${nearest(key, names)}"? [${section}] knows ${names.join(", ")}`,
          consequence: "ignored",
        });
        continue;
      }
      const checked = checkValue(definition.kind, value);
      if ("fault" in checked) {
        const fallback = JSON.stringify(definition.fallback);
        faults.push({
          file,
          line,
          key: name,
          message: checked.fault,
          mend: checked.mend,
          consequence: `the default ${fallback} is used`,
        });
      } else values.set(name, checked.value);
    }
  }
  return { config: build(values), faults, broken: false };
}

function build(values: ReadonlyMap<string, unknown>): Config {
  const config: Record<string, Record<string, unknown>> = {};
  for (const { name, kind, fallback } of DEFINITIONS) {
    const [section, key] = name.split(".") as [string, string];
    config[section] ??= {};
    config[section][key] = values.has(name) ? values.get(name) : defaultValue(kind, fallback);
  }
  return config as Config;
}

function defaultValue(kind: KeyKind, fallback: KeyDefinition["fallback"]): unknown {
  const checked = checkValue(kind, fallback);
  if ("fault" in checked) throw new Error(`a default of the table of keys is faulty: ${checked.fault}`);
  return checked.value;
}

// The line on which each section and key was written. The TOML parser keeps no positions; keys in ordinary form
// are found here, for any other form the section's line has to do.
function keyLines(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  let section = "";
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*\[\s*"?([\w-]+)"?\s*\]/.exec(line);
    if (header) {
      section = header[1]!;
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
