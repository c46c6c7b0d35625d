// The earlier generations of a log that exist now.
import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { type Generation, generationName } from "./generations.ts";
import { factsOf } from "./open-log.ts";

// A folder may hold any number of files; no rotation keeps this many generations of one log.
const MAX_GENERATIONS = 2_000;

/**
 * The generations of the log called `name` in `folder`; links, FIFOs and what disappears meanwhile are left out.
 * @param isOther whether a path is another log that is followed for itself
 */
export async function listGenerations(
  folder: string,
  name: string,
  isOther: (path: string) => boolean,
): Promise<Generation[]> {
  const found: Generation[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      const told = generationName(name, entry.name);
      const path = join(folder, entry.name);
      if (told === null || isOther(path)) continue;
      const facts = await factsOf(path).catch(() => null); // Renamed or removed between the two looks.
      if (facts !== null) found.push({ ...told, ...facts, path });
      if (found.length === MAX_GENERATIONS) break;
    }
  } catch {
    // A folder that cannot be listed shows no generations; that the log itself cannot be opened is told elsewhere.
  }
  return found;
}
