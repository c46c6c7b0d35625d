// Reads telltale.toml from disk. The file is optional; whatever is wrong with it comes back as faults.
import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { describeError } from "../core/errors.ts";
import { defaultConfig, parseConfig } from "./parse.ts";
import type { ReadConfig } from "./types.ts";

/**
 * Reads a configuration file.
 * @param file its path
 * @param named whether somebody asked for this very file, so that its absence is a fault
 */
export function readConfig(file: string, named: boolean): ReadConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (absent && !named) return { config: defaultConfig(), faults: [], broken: false };
    const mend = absent
      ? "check the path, or leave the option out"
      : "make it readable for the user telltale runs as";
    return unusable(file, 0, absent ? "does not exist" : `cannot be read: ${describeError(error)}`, mend);
  }
  try {
    return parseConfig(file, text, parse(text));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first] = error.message.split("\n");
    return unusable(
      file,
      error.line,
      first ?? "is not TOML",
      `correct line ${error.line}, column ${error.column}`,
    );
  }
}

function unusable(file: string, line: number, message: string, mend: string): ReadConfig {
  const consequence = "all defaults hold, and nothing is blocked";
  return {
    config: defaultConfig(),
    faults: [{ file, line, key: "", message, mend, consequence }],
    broken: true,
  };
}
