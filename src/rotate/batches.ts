// Cuts a stanza of very many logs into batches, so that memory holds the plans of one batch and not of all. Only where
// no log's rotation can touch another's: then planning them one after the other gives what planning them at once gives.
import { realpathSync } from "node:fs";
import { bytesOf, textOf } from "./names/bytes.ts";
import { directoryOf, nameScheme } from "./names/match.ts";
import type { LogStanza } from "./types.ts";

// A plan with its journal line takes some ten kilobytes while it is being made.
export const BATCH_LOGS = 256;

/** The logs of the stanza in batches, in order; one batch when they belong together. */
export function batchesOf(stanza: LogStanza, logs: readonly string[]): readonly (readonly string[])[] {
  if (logs.length <= BATCH_LOGS || shareScripts(stanza) || !areIndependent(stanza, logs)) return [logs];
  const batches: string[][] = [];
  for (let at = 0; at < logs.length; at += BATCH_LOGS) batches.push(logs.slice(at, at + BATCH_LOGS));
  return batches;
}

function shareScripts({ settings, scripts }: LogStanza): boolean {
  return settings.sharedScripts || scripts.firstaction !== undefined || scripts.lastaction !== undefined;
}

// Every name that a rotation gives begins with the log's stem, in the directory of its generations. Where no name but a
// log's own begins with its stem, no log is a generation of another, and no two give the same names.
function areIndependent({ settings }: LogStanza, logs: readonly string[]): boolean {
  // A name may stand there twice, as a log and as what a generation of it begins with.
  const names: string[] = [];
  const stems = new Set<string>();
  for (const log of logs) {
    const { path, tail } = nameScheme(settings, log);
    stems.add(path);
    names.push(log);
    if (path + tail !== log) names.push(path + tail);
  }
  if (stems.size < logs.length) return false;
  if (settings.allowHardLink || !areDistinctPlaces(new Set(logs.map(directoryOf)))) return false;
  names.sort();
  for (const stem of stems) if (!isAlone(names, stem)) return false;
  return true;
}

// Two paths may lead to one directory, and so to one log, which is rotated once.
function areDistinctPlaces(directories: ReadonlySet<string>): boolean {
  const places = [...directories].map((directory) => {
    try {
      return textOf(realpathSync(bytesOf(directory), { encoding: "buffer" }));
    } catch {
      return directory; // Not there: nothing in it can be the same.
    }
  });
  return new Set(places).size === directories.size;
}

// Whether all of the sorted names that begin with the prefix are one name.
function isAlone(sorted: readonly string[], prefix: string): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < prefix) low = middle + 1;
    else high = middle;
  }
  const first = sorted[low];
  while (sorted[low] === first && low < sorted.length) low++;
  return sorted[low]?.startsWith(prefix) !== true;
}
