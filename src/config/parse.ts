// Reads the text of telltale.toml and of the files beside it into one configuration. Pure. A bad value costs its key,
// never the file: what holds without it stands in, the fault says so, and the caller decides what a fault means.
import type { ConfigFault } from "../core/errors.ts";
import { KEYS, type KeyDefinition, type KeyKind, RETENTION_KEYS } from "./keys.ts";
import { keyLines } from "./lines.ts";
import { nearest } from "./nearest.ts";
import type { Config, KeyPlace, ReadConfig, RetentionGroup } from "./types.ts";
import { checkValue } from "./value.ts";

const DEFINITIONS: readonly KeyDefinition[] = KEYS;
const SECTIONS = [...new Set(DEFINITIONS.map((key) => key.name.split(".")[0]!)), "retention.NAME"];

/** One file: its name for faults, its text for their line numbers, and what the TOML parser made of it. */
export type ConfigText = {
  readonly file: string;
  readonly text: string;
  readonly table: Readonly<Record<string, unknown>>;
};

/** The configuration that holds when there is no file. */
export function defaultConfig(): Config {
  return build(new Map(), []);
}

/** Reads one file's values. */
export function parseConfig(file: string, text: string, table: Record<string, unknown>): ReadConfig {
  return parseConfigs([{ file, text, table }]);
}

/** Reads several files as one configuration: what a later one says of a key holds, lists included. */
export function parseConfigs(files: readonly ConfigText[]): ReadConfig {
  const layers = new Layers();
  for (const file of files) layers.read(file);
  const retention = layers.groups();
  return {
    config: build(layers.values, retention),
    faults: layers.faults,
    broken: false,
    places: layers.places,
    files: files.map(({ file }) => file),
  };
}

type Group = { readonly values: Map<string, unknown>; clean: boolean; at: Omit<KeyPlace, "written"> };

class Layers {
  readonly faults: ConfigFault[] = [];
  readonly values = new Map<string, unknown>();
  /** Where each key was written, the place in force last. */
  readonly places = new Map<string, KeyPlace[]>();
  readonly #groups = new Map<string, Group>();
  #file = "";
  #lines: ReadonlyMap<string, number> = new Map();

  read({ file, text, table }: ConfigText): void {
    this.#file = file;
    this.#lines = keyLines(text);
    for (const [section, body] of Object.entries(table)) {
      const definitions = DEFINITIONS.filter((key) => key.name.startsWith(`${section}.`));
      if (section === "retention" && isTable(body)) this.#readGroups(body);
      else if (definitions.length > 0 && isTable(body)) {
        this.#keys(section, body, definitions, this.values);
      } else this.#notASection(section, definitions.length > 0 || section === "retention");
    }
  }

  /** The `[retention.NAME]` sections. One with any fault is left out whole: it deletes files. */
  groups(): RetentionGroup[] {
    const groups: RetentionGroup[] = [];
    for (const [name, { values, clean, at }] of this.#groups) {
      const value = (key: string) =>
        valueOrDefault(
          values,
          `retention.${name}.${key}`,
          RETENTION_KEYS.find((known) => known.name === `retention.NAME.${key}`)!,
        );
      const paths = value("paths") as readonly string[];
      const left = { ...at, key: `retention.${name}`, consequence: "nothing is removed for it" };
      if (paths.length === 0 || paths.some((path) => !path.startsWith("/"))) {
        const mend = 'write paths = ["/srv/app/logs/*.log"]';
        this.faults.push({ ...left, message: "wants paths that begin with /", mend });
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
      } else this.faults.push({ ...left, message: "has a fault", mend: "mend the lines named above" });
    }
    return groups;
  }

  #readGroups(body: Readonly<Record<string, unknown>>): void {
    for (const [name, group] of Object.entries(body)) {
      const section = `retention.${name}`;
      if (!isTable(group)) {
        const mend = `write [retention.${name}] on a line of its own`;
        this.#fault(section, "retention", "wants to be a section", mend, "ignored");
        continue;
      }
      const known = this.#groups.get(name) ?? { values: new Map(), clean: true, at: { file: "", line: 0 } };
      known.at = { file: this.#file, line: this.#lines.get(section) ?? 0 };
      this.#groups.set(name, known);
      if (!this.#keys(section, group, RETENTION_KEYS, known.values)) known.clean = false;
    }
  }

  /** Takes up the good values of one section, by full name. False when any was bad. */
  #keys(
    section: string,
    body: Readonly<Record<string, unknown>>,
    definitions: readonly KeyDefinition[],
    values: Map<string, unknown>,
  ): boolean {
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
      const places = this.places.get(name) ?? [];
      if ("fault" in checked) {
        const held = places.at(-1);
        const consequence =
          held === undefined
            ? `the default ${JSON.stringify(definition.fallback)} is used`
            : `what ${held.file} says holds`;
        this.#fault(name, section, checked.fault, checked.mend, consequence);
        continue;
      }
      values.set(name, checked.value);
      this.places.set(name, [
        ...places,
        {
          file: this.#file,
          line: this.#lines.get(name) ?? this.#lines.get(section) ?? 0,
          written: value,
        },
      ]);
    }
    return this.faults.length === before;
  }

  #notASection(name: string, isKnown: boolean): void {
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
    config[section][key] = valueOrDefault(values, definition.name, definition);
  }
  return { ...config, retention } as unknown as Config;
}

function valueOrDefault(
  values: ReadonlyMap<string, unknown>,
  name: string,
  { kind, fallback }: KeyDefinition,
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
