// Reads telltale.toml and its drop-ins into one configuration. Whatever is wrong comes back as faults.
import { readFiles } from "./files.ts";
import { parseConfigs } from "./parse.ts";
import type { ReadConfig } from "./types.ts";

/**
 * Reads a configuration file and its drop-ins.
 * @param file its path
 * @param named whether somebody asked for this very file, so that its absence is a fault
 */
export function readConfig(file: string, named: boolean): ReadConfig {
  const { texts, faults } = readFiles(file, named);
  const read = parseConfigs(texts);
  return { ...read, faults: [...faults, ...read.faults], broken: faults.length > 0 };
}
