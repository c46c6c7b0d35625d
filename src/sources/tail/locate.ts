// Finds the file that holds a place in a log, wherever rotation took it: under another name, as a copy, compressed,
// or on a disk that got another number.
import type { Archive, ArchiveResult } from "./archive.ts";
import { fingerprint, type Spot } from "./cursor.ts";
import { byAge, type Generation, sameFile } from "./generations.ts";
import { Incarnation } from "./incarnation.ts";
import { type FileFacts, isOpen, type OpenForUs, openLog, type Unreadable } from "./open-log.ts";

export type Located =
  /** An open file, at the place. */
  | { in: "file"; incarnation: Incarnation }
  /** An archive, whose lines after the place were handed out. */
  | { in: "archive"; archive: Archive }
  /** A copy that was made before the place was reached: nothing in it is new. */
  | { in: "copy"; generation: Generation }
  /** Not there any more; `nowBytes`: the size of the log's own file, when that held the place and no longer does. */
  | { in: "nowhere"; nowBytes: number | null };

export type Search = {
  /** The log's path. */
  readonly log: string;
  /** What stands there now. */
  readonly here: FileFacts | null;
  readonly generations: readonly Generation[];
  readonly tell: (unreadable: Unreadable) => void;
  /** Opens for us what we may not open. */
  readonly openForUs: OpenForUs | undefined;
  /** Reads an archive; tells what cannot be read and answers "other" for it. */
  readonly readArchive: (archive: Archive, spot: Spot) => Promise<ArchiveResult>;
};

/** Finds the place. Files with its identity first, then files with its content, then archives, then copies. */
export async function locate(spot: Spot, search: Search): Promise<Located> {
  const { log, here, generations } = search;
  const inPlace = here !== null && sameFile(here, spot);
  const nowhere: Located = { in: "nowhere", nowBytes: inPlace ? here.sizeBytes : null };
  const plain = generations.filter(({ compression }) => compression === null).sort(byAge);
  const recent = plain.filter(since(spot));
  const same = plain.filter((one) => sameFile(one, spot)).map(({ path }) => path);
  // The oldest first: should two fit, nothing is lost.
  const alike = spot.head.bytes === 0 ? [] : [...recent.map(({ path }) => path), log];
  for (const path of [...(inPlace ? [log] : []), ...same, ...alike]) {
    const incarnation = await openAt(path, spot, search);
    if (incarnation !== null) return { in: "file", incarnation };
  }
  if (spot.head.bytes === 0) return nowhere;

  for (const archive of archivesSince(generations, spot)) {
    if ((await search.readArchive(archive, spot)) === "read") return { in: "archive", archive };
  }
  // copytruncate, and we had read on between its copying and its truncating.
  const newest = inPlace ? [...generations].sort(byAge).at(-1) : undefined;
  if (newest !== undefined && (await isShorterCopy(newest, spot, search))) {
    return { in: "copy", generation: newest };
  }
  return nowhere;
}

/** Finds a file that was rotated away and may still be written to; an archive of it is read to its end. */
export async function locateDrain(spot: Spot, search: Search): Promise<Incarnation | "archive" | "nowhere"> {
  for (const generation of search.generations) {
    if (generation.compression !== null || !sameFile(generation, spot)) continue;
    const incarnation = await openAt(generation.path, spot, search);
    if (incarnation !== null) return incarnation;
  }
  if (spot.head.bytes === 0) return "nowhere";
  for (const archive of archivesSince(search.generations, spot)) {
    if ((await search.readArchive(archive, spot)) === "read") return "archive";
  }
  return "nowhere";
}

async function isShorterCopy(generation: Generation, spot: Spot, search: Search): Promise<boolean> {
  if (generation.compression !== null) {
    return (await search.readArchive(generation as Archive, spot)) === "shorter";
  }
  if (generation.sizeBytes >= spot.offset) return false;
  const beginning = { ...spot, offset: 0, near: fingerprint(new Uint8Array()) };
  const incarnation = await openAt(generation.path, beginning, search);
  await incarnation?.close();
  return incarnation !== null;
}

async function openAt(path: string, spot: Spot, { tell, openForUs }: Search): Promise<Incarnation | null> {
  const opened = await openLog(path, openForUs);
  if (!isOpen(opened)) {
    if (opened !== null) tell(opened);
    return null;
  }
  return Incarnation.resume(opened, spot);
}

// Compressors keep the time of the file, some only whole seconds of it.
function since(spot: Spot): (facts: FileFacts) => boolean {
  const second = Math.floor(spot.mtimeMs / 1_000) * 1_000;
  return ({ mtimeMs }) => mtimeMs >= second;
}

function archivesSince(all: readonly Generation[], spot: Spot): Archive[] {
  return all.filter((one): one is Archive => one.compression !== null && since(spot)(one)).sort(byAge);
}
