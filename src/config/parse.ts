// Reads the text of telltale.toml and of the files beside it into one configuration. Pure. A bad value costs its key (and in a
// list only itself), never the file: what holds without it stands in, the fault says so, and the caller decides what a fault means.
import type { ConfigFault } from "../core/errors.ts";
import { type NamedSection, type Refusal, retentionOf, webhookOf } from "./groups/parse.ts";
import { GROUP_KEYS, type GroupKind, KEYS, type KeyDefinition } from "./keys.ts";
import { keyLines } from "./lines.ts";
import { nearest } from "./nearest.ts";
import type { Config, ConfigText, Groups, KeyPlace, ReadConfig } from "./types.ts";
import { checkValue, valueOrDefault } from "./value.ts";

const DEFINITIONS: readonly KeyDefinition[] = KEYS;
const SECTIONS = [...new Set(DEFINITIONS.map((key) => key.name.split(".")[0]!)), ...Object.keys(GROUP_KEYS)];

/** The configuration that holds when there is no file. */
export function defaultConfig(): Config {
  return build(new Map(), new Layers().groups());
}

/** Reads one file's values. */
export function parseConfig(file: string, text: string, table: Record<string, unknown>): ReadConfig {
  return parseConfigs([{ file, text, table }]);
}

/** Reads several files as one configuration: what a later one says of a key holds, lists included. */
export function parseConfigs(files: readonly ConfigText[]): ReadConfig {
  const layers = new Layers();
  for (const file of files) layers.read(file);
  const groups = layers.groups();
  return {
    config: build(layers.values, groups),
    faults: layers.faults,
    broken: false,
    places: layers.places,
    files: files.map(({ file }) => file),
  };
}

type Section = NamedSection & {
  readonly values: Map<string, unknown>;
  clean: boolean;
  at: Omit<KeyPlace, "written">;
};

class Layers {
  readonly faults: ConfigFault[] = [];
  readonly values = new Map<string, unknown>();
  /** Where each key was written, the place in force last. */
  readonly places = new Map<string, KeyPlace[]>();
  readonly #sections = new Map<string, Section>();
  #file = "";
  #lines: ReadonlyMap<string, number> = new Map();

  read({ file, text, table }: ConfigText): void {
    this.#file = file;
    this.#lines = keyLines(text);
    for (const [section, body] of Object.entries(table)) {
      const definitions = DEFINITIONS.filter((key) => key.name.startsWith(`${section}.`));
      if (isGroupKind(section) && isTable(body)) this.#readGroups(section, body);
      else if (definitions.length > 0 && isTable(body)) {
        this.#keys(section, body, definitions, this.values);
      } else this.#notASection(section, definitions.length > 0 || isGroupKind(section));
    }
  }

  /** The sections with names of their own; one that makes no group is a fault. */
  groups(): Groups {
    return { retention: this.#made("retention", retentionOf), webhook: this.#made("webhook", webhookOf) };
  }

  #made<Made extends object>(kind: GroupKind, make: (section: NamedSection) => Made | Refusal): Made[] {
    const made: Made[] = [];
    for (const section of this.#sections.values()) {
      if (section.kind !== kind) continue;
      const group = make(section);
      if ("message" in group) this.faults.push({ ...section.at, key: `${kind}.${section.name}`, ...group });
      else made.push(group);
    }
    return made;
  }

  #readGroups(kind: GroupKind, body: Readonly<Record<string, unknown>>): void {
    for (const [name, group] of Object.entries(body)) {
      const section = `${kind}.${name}`;
      if (!isTable(group)) {
        const mend = `write [${kind}.NAME] with a name of your own, and ${name} below it`;
        this.#fault(section, kind, "stands in a section without a name", mend, "ignored");
        continue;
      }
      const at = { file: this.#file, line: this.#lines.get(section) ?? 0 };
      const known = this.#sections.get(section) ?? { kind, name, values: new Map(), clean: true, at };
      known.at = at;
      this.#sections.set(section, known);
      if (!this.#keys(section, group, GROUP_KEYS[kind], known.values)) known.clean = false;
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
      const held = "value" in checked ? checked.value : checked.rest;
      if ("fault" in checked) {
        this.#fault(name, section, checked.fault, checked.mend, standIn(held, places.at(-1), definition));
        if (held === undefined) continue;
      }
      values.set(name, held);
      this.places.set(name, [
        ...places,
        {
          file: this.#file,
          line: this.#lines.get(name) ?? this.#lines.get(section) ?? 0,
          written: "fault" in checked ? held : value,
        },
      ]);
    }
    return this.faults.length === before;
  }

  #notASection(name: string, isKnown: boolean): void {
    if (isKnown)
      this.#fault(name, name, "wants to be a section", `write [${name}] on a line of its own`, "ignored");
    else {
      const mend = `did you mean [${withName(nearest(name, SECTIONS))}]?`;
      this.#fault(name, name, "is no section or key of telltale", mend, "ignored");
    }
  }

  #fault(key: string, section: string, message: string, mend: string, consequence: string): void {
    const line = this.#lines.get(key) ?? this.#lines.get(section) ?? 0;
    this.faults.push({ file: this.#file, line, key, message, mend, consequence });
  }
}

/** What holds instead of a faulty value. */
function standIn(rest: unknown, before: KeyPlace | undefined, { fallback }: KeyDefinition): string {
  if (rest !== undefined) return "the rest of the list holds";
  return before === undefined
    ? `the default ${JSON.stringify(fallback)} is used`
    : `what ${before.file} says holds`;
}

function build(values: ReadonlyMap<string, unknown>, groups: Groups): Config {
  const config: Record<string, Record<string, unknown>> = {};
  for (const definition of DEFINITIONS) {
    const [section, key] = definition.name.split(".") as [string, string];
    config[section] ??= {};
    config[section][key] = valueOrDefault(values, definition.name, definition);
  }
  return { ...config, ...groups } as unknown as Config;
}

function withName(section: string): string {
  return isGroupKind(section) ? `${section}.NAME` : section;
}

function isGroupKind(name: string): name is GroupKind {
  return Object.hasOwn(GROUP_KEYS, name);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
