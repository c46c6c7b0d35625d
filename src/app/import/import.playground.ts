// Another host's files in a folder, and what importing them told, for the tests.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { KEYS, type KeyDefinition } from "../../config/keys.ts";
import { readConfig } from "../../config/read.ts";
import { checkValue } from "../../config/value.ts";
import { importedToml } from "./toml.ts";
import type { Imported } from "./types.ts";

/** A folder with these files, removed after the test. */
export function rootWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "telltale-import-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** Every directive as `FATE NAME VALUE`, and the settings as an object. */
export function told({ directives, settings }: Imported) {
  return {
    lines: directives.map(({ fate, name, value }) => `${fate} ${name} ${value}`.trim()),
    keys: Object.fromEntries(settings.map(({ key, value }) => [key, value])),
  };
}

/** The written file reads back without faults, and says what was imported. */
export function roundTrip(root: string, imported: Imported): void {
  const file = join(root, "telltale.toml");
  rmSync(file, { force: true });
  writeFileSync(file, importedToml(imported));
  const { config, faults } = readConfig(file, true);
  assert.deepEqual(faults, []);
  for (const { key, value } of imported.settings) {
    const [section, name] = key.split(".") as [string, string];
    const held = (config as unknown as Record<string, Record<string, unknown>>)[section]![name];
    const { kind } = (KEYS as readonly KeyDefinition[]).find((known) => known.name === key)!;
    assert.deepEqual({ value: held }, checkValue(kind, value), key);
  }
}
