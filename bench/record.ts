// Keeps what was measured: one file for each bench and day. A case that is run again that day replaces itself and
// leaves the others; a run on another machine begins the file anew, since one file speaks of one machine.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { BenchRecord } from "./types.ts";

const DIRECTORY = join(import.meta.dirname, "record");

/** Writes the record, joined with that day's earlier one; returns the path. `order` is the order of the cases. */
export function keepRecord(record: BenchRecord, order: readonly string[], directory = DIRECTORY): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${record.bench}-${record.date}.json`);
  const earlier = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as BenchRecord) : null;
  const isSame = earlier !== null && isDeepStrictEqual(earlier.machine, record.machine);
  const kept = isSame
    ? earlier.cases.filter(({ name }) => !record.cases.some((each) => each.name === name))
    : [];
  const cases = [...kept, ...record.cases].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const versions = { ...(isSame ? earlier.versions : {}), ...record.versions };
  writeFileSync(path, `${JSON.stringify({ ...record, versions, cases }, null, 1)}\n`);
  return path;
}
