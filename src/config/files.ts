// Takes telltale.toml and its drop-in files from the disk. All are optional; whatever is wrong comes back as faults.
//
// Drop-ins lie in a folder named like the file, with `.d` for `.toml`: telltale.d beside telltale.toml, night.d beside
// night.toml. They are read in the order of their names, and the last word on a key holds.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ConfigFault, describeError } from "../core/errors.ts";
import { mendOf } from "./mistake.ts";
import { parse, TomlError } from "./toml.ts";
import type { ConfigText } from "./types.ts";

// A configuration is written by people; what is larger is something else, and would only fill memory.
const MAX_BYTES = 1_000_000;
const MAX_DROP_INS = 256;

export type ReadFiles = {
  /** In the order in which they hold, the last word last. */
  readonly texts: readonly ConfigText[];
  /** What could not be used, as a whole. */
  readonly faults: readonly ConfigFault[];
};

/** The folder of a configuration file's drop-ins. */
export function dropInFolder(file: string): string {
  return `${file.replace(/\.toml$/, "")}.d`;
}

/** The file and its drop-ins, `named` as for `readConfig`. */
export function readFiles(file: string, named: boolean): ReadFiles {
  const faults: ConfigFault[] = [];
  const texts: ConfigText[] = [];
  for (const path of [file, ...dropInsOf(file, faults)]) {
    const found = readToml(path, named || path !== file);
    if (found === null) continue;
    if ("table" in found) texts.push(found);
    else faults.push(found);
  }
  return { texts, faults };
}

/**
 * What the files say of one key whose value is text, without a look at any other key; "" where none says it.
 * The same as `parseConfigs` makes of it: the last text holds, and what is no text is passed over.
 */
export function textOf(texts: readonly ConfigText[], section: string, key: string): string {
  for (const { table } of texts.toReversed()) {
    const body = table[section];
    if (typeof body !== "object" || body === null || Array.isArray(body)) continue;
    const value = (body as Readonly<Record<string, unknown>>)[key];
    if (typeof value === "string") return value;
  }
  return "";
}

function dropInsOf(file: string, faults: ConfigFault[]): string[] {
  const folder = dropInFolder(file);
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(".toml") && !name.startsWith("."));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") {
      faults.push(unusable(folder, 0, `cannot be read: ${describeError(error)}`, READABLE));
    }
    return [];
  }
  names.sort();
  if (names.length > MAX_DROP_INS) {
    const mend = `put them into fewer files; ${names.length} are there`;
    faults.push(unusable(folder, 0, `holds more than ${MAX_DROP_INS} files; the first are read`, mend));
  }
  return names.slice(0, MAX_DROP_INS).map((name) => join(folder, name));
}

const READABLE = "make it readable for the user telltale runs as";

function readToml(file: string, named: boolean): ConfigText | ConfigFault | null {
  let text: string;
  try {
    const facts = statSync(file);
    const { size } = facts;
    // /dev/null says "nothing", and who may write to it does not matter.
    if (facts.isFile() && (facts.mode & 0o002) !== 0) {
      return unusable(file, 0, "may be written by anybody", `chmod o-w ${file}`);
    }
    if (size > MAX_BYTES) {
      return unusable(file, 0, `has ${size} bytes; ${MAX_BYTES} are read at most`, "is this the right file?");
    }
    text = readFileSync(file, "utf8");
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (absent && !named) return null;
    const mend = absent ? "check the path, or leave the option out" : READABLE;
    return unusable(file, 0, absent ? "does not exist" : `cannot be read: ${describeError(error)}`, mend);
  }
  try {
    return { file, text, table: parse(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column } = error;
    const says = error.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    return unusable(file, line, `is no TOML: ${says}`, mendOf({ text, line, column, says }));
  }
}

function unusable(file: string, line: number, message: string, mend: string): ConfigFault {
  const consequence = "nothing in it holds, and nothing is blocked";
  return { file, line, key: "", message, mend, consequence };
}
