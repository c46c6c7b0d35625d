// Reads the text of telltale.toml into a configuration. Pure. A bad value costs its key, never the file:
// the default stands in, the fault says so, and the caller decides what a fault means.
import type { ConfigFault } from "../core/errors.ts";
import { KEYS, type KeyDefinition, type KeyKind, RETENTION_KEYS } from "./keys.ts";
import { keyLines } from "./lines.ts";
import { nearest } from "./nearest.ts";
import type { Config, ReadConfig, RetentionGroup } from "./types.ts";
import { checkValue } from "./value.ts";

const DEFINITIONS: readonly KeyDefinition[] = KEYS;
const SECTIONS = [...new Set(DEFINITIONS.map((key) => key.name.split(".")[0]!)), "retention.NAME"];

/** The configuration that holds when there is no file. */
export function defaultConfig(): Config {
  return build(new Map(), []);
}

/**
 * Reads one file's values.
 * @param file its name, for faults
 * @param text its text, for the line numbers of faults
 * @param table what the TOML parser made of it
 */
export function parseConfig(file: string, text: string, table: Record<string, unknown>): ReadConfig {
  const reader = new Reader(file, text);
  const values = new Map<string, unknown>();
  let retention: RetentionGroup[] = [];
  for (const [section, body] of Object.entries(table)) {
    const definitions = DEFINITIONS.filter((key) => key.name.startsWith(`${section}.`));
    if (section === "retention" && isTable(body)) retention = reader.groups(body);
    else if (definitions.length > 0 && isTable(body)) {
      for (const [name, value] of reader.keys(section, body, definitions).values) values.set(name, value);
    } else reader.notASection(section, definitions.length > 0 || section === "retention");
  }
  return { config: build(values, retention), faults: reader.faults, broken: false };
}

class Reader {
  readonly faults: ConfigFault[] = [];
  readonly #file: string;
  readonly #lines: ReadonlyMap<string, number>;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#lines = keyLines(text);
  }

  /** The good values of one section, by full name; `clean` is false when any was bad. */
  keys(
    section: string,
    body: Readonly<Record<string, unknown>>,
    definitions: readonly KeyDefinition[],
  ): { values: Map<string, unknown>; clean: boolean } {
    const values = new Map<string, unknown>();
    const before = this.faults.length;
    const keyOf = (definition: KeyDefinition) => definition.name.split(".").at(-1)!;
    for (const [key, value] of Object.entries(body)) {
      const name = `${section}.${key}`;
      const definition = definitions.find((known) => keyOf(known) === key);
      if (definition === undefined) {
        const names = definitions.map(keyOf);
        const mend = `did you mean "${nearest(key, names)}"? [${section}] knows ${names.join(", ")}`;
        this.#fault(name, section, "is no key of telltale", mend, "ignored");
        continue;
      }
      const checked = checkValue(definition.kind, value);
      if ("fault" in checked) {
        const consequence = `the default ${JSON.stringify(definition.fallback)} is used`;
        this.#fault(name, section, checked.fault, checked.mend, consequence);
      } else values.set(definition.name, checked.value);
    }
    return { values, clean: this.faults.length === before };
  }

  /** The `[retention.NAME]` sections. One with any fault is left out whole: it deletes files. */
  groups(body: Readonly<Record<string, unknown>>): RetentionGroup[] {
    const groups: RetentionGroup[] = [];
    for (const [name, group] of Object.entries(body)) {
      const section = `retention.${name}`;
      if (!isTable(group)) {
        this.#fault(
          section,
          "retention",
          "wants to be a section",
          `write [retention.${name}] on a line of its own`,
          "ignored",
        );
        continue;
      }
      const { values, clean } = this.keys(section, group, RETENTION_KEYS);
      const value = (key: string) =>
        valueOrDefault(values, RETENTION_KEYS.find((known) => known.name === `retention.NAME.${key}`)!);
      const paths = value("paths") as readonly string[];
      if (paths.length === 0 || paths.some((path) => !path.startsWith("/"))) {
        this.#fault(
          section,
          section,
          "wants paths that begin with /",
          'write paths = ["/srv/app/logs/*.log"]',
          "nothing is removed for it",
        );
      } else if (clean) {
        groups.push({
          name,
          paths,
          maxBytes: value("max_bytes") as number,
          maxAgeMs: value("max_age") as number,
          maxFiles: value("max_files") as number,
          minKeep: value("min_keep") as number,
          compressAfterMs: value("compress_after") as number,
        });
      } else
        this.#fault(
          section,
          section,
          "has a fault",
          "mend the lines named above",
          "nothing is removed for it",
        );
    }
    return groups;
  }

  notASection(name: string, isKnown: boolean): void {
    if (isKnown)
      this.#fault(name, name, "wants to be a section", `write [${name}] on a line of its own`, "ignored");
    else {
      const mend = `did you mean [${nearest(name, SECTIONS)}]?`;
      this.#fault(name, name, "is no section or key of telltale", mend, "ignored");
    }
  }

  #fault(key: string, section: string, message: string, mend: string, consequence: string): void {
    const line = this.#lines.get(key) ?? this.#lines.get(section) ?? 0;
    this.faults.push({ file: this.#file, line, key, message, mend, consequence });
  }
}

function build(values: ReadonlyMap<string, unknown>, retention: readonly RetentionGroup[]): Config {
  const config: Record<string, Record<string, unknown>> = {};
  for (const definition of DEFINITIONS) {
    const [section, key] = definition.name.split(".") as [string, string];
    config[section] ??= {};
    config[section][key] = valueOrDefault(values, definition);
  }
  return { ...config, retention } as unknown as Config;
}

function valueOrDefault(
  values: ReadonlyMap<string, unknown>,
  { name, kind, fallback }: KeyDefinition,
): unknown {
  return values.has(name) ? values.get(name) : defaultValue(kind, fallback);
}

function defaultValue(kind: KeyKind, fallback: KeyDefinition["fallback"]): unknown {
  const checked = checkValue(kind, fallback);
  if ("fault" in checked) throw new Error(`a default of the table of keys is faulty: ${checked.fault}`);
  return checked.value;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
