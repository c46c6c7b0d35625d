// The earlier generations of a log that exist now.
import { opendir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Generation, generationName, sameFiles } from "./generations.ts";
import { factsOf } from "./open-log.ts";

// A folder may hold any number of files; no rotation keeps this many generations of one log.
const MAX_GENERATIONS = 2_000;

// A rotation moves its files within milliseconds.
const MAX_TRIES = 50;

/**
 * The generations of a log; links, FIFOs and what disappears meanwhile are left out.
 * @param places the log's path, and where else it would stand: behind a link, in the folder for old logs
 * @param isOther whether a path is another log that is followed for itself
 */
export async function listGenerations(
  places: ReadonlySet<string>,
  isOther: (path: string) => boolean,
): Promise<Generation[]> {
  // Until two looks agree: a file that is renamed during a look may be seen under both its names or under none.
  let before = await listOnce(places, isOther);
  for (let tries = 1; ; tries++) {
    const after = await listOnce(places, isOther);
    if (tries === MAX_TRIES || sameFiles(before, after)) return after;
    before = after;
  }
}

async function listOnce(
  places: ReadonlySet<string>,
  isOther: (path: string) => boolean,
): Promise<Generation[]> {
  const lists = [...places].map((place) => listFolder(dirname(place), basename(place), isOther));
  return (await Promise.all(lists)).flat();
}

async function listFolder(
  folder: string,
  log: string,
  isOther: (path: string) => boolean,
): Promise<Generation[]> {
  const found: Generation[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      const told = generationName(log, entry.name);
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
