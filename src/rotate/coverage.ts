// Answers which stanza looks after a path: as a log, or as a generation of one. What to make of files that none looks after is
// decided elsewhere; here the names are known.
import { type Dirent, lstatSync, readdirSync } from "node:fs";
import { openForWriting, type OpenFile as Writer } from "../sys/open-files.ts";
import type { Listings } from "./glob/expand.ts";
import { matchPath } from "./glob/match.ts";
import { inventory } from "./inventory.ts";
import { baseOf, dateFormatOf, directoryOf, generationMatcher, nameScheme } from "./names/match.ts";
import type { FileFact, LogStanza, Place, RotateOptions, Rotation } from "./types.ts";
import { formatWriter } from "./writers.ts";

/** The first stanza with a pattern or a log that covers this path, or null. */
export function coveredBy(rotation: Rotation, path: string): LogStanza | null {
  return (
    rotation.stanzas.find(
      (stanza) => stanza.logs.includes(path) || stanza.patterns.some((pattern) => matchPath(pattern, path)),
    ) ?? null
  );
}

/** A generation by its name, and the log it was. */
export type Generation = { readonly log: string; readonly place: Place; readonly compressed: boolean };

type Named = { readonly log: string; readonly stanza: LogStanza };

/** What a rotation covers, made ready for many questions. */
export class Coverage {
  readonly #rotation: Rotation;
  readonly #logs = new Set<string>();
  // Directory, then stem: a name has fewer beginnings than a directory may have logs.
  readonly #byStem = new Map<string, Map<string, Named[]>>();

  constructor(rotation: Rotation) {
    this.#rotation = rotation;
    for (const stanza of rotation.stanzas) {
      for (const log of stanza.logs) {
        this.#logs.add(log);
        const { directory, stem } = nameScheme(stanza.settings, log);
        const stems = this.#byStem.get(directory) ?? new Map<string, Named[]>();
        this.#byStem.set(directory, stems);
        stems.set(stem, [...(stems.get(stem) ?? []), { log, stanza }]);
      }
    }
  }

  /** Whether the path is a log of a stanza, would be one if it existed, or is a generation. */
  has(path: string): boolean {
    return this.#logs.has(path) || this.generation(path) !== null || coveredBy(this.#rotation, path) !== null;
  }

  /** The log whose generation this path is by its name, or null. */
  generation(path: string): Generation | null {
    const name = baseOf(path);
    const stems = this.#byStem.get(directoryOf(path));
    if (stems === undefined) return null;
    for (let end = name.length - 1; end > 0; end--) {
      for (const { log, stanza } of stems.get(name.slice(0, end)) ?? []) {
        const compressed = log === path ? null : kindOf(stanza, log, name);
        if (compressed !== null) return { log, place: stanza.place, compressed };
      }
    }
    return null;
  }

  /** Every stanza that has a pattern for this path, in reading order. */
  stanzasFor(path: string): LogStanza[] {
    return this.#rotation.stanzas.filter((stanza) =>
      stanza.patterns.some((pattern) => pattern === path || matchPath(pattern, path)),
    );
  }
}

// Whether the name is that of a compressed generation, of a plain one, or (null) of none.
function kindOf({ settings }: LogStanza, log: string, name: string): boolean | null {
  const scheme = nameScheme(settings, log);
  for (const compressed of [false, true]) {
    const suffix = compressed ? scheme.compressExt : "";
    const matcher = generationMatcher(scheme, dateFormatOf(settings), suffix);
    if (matcher.indexOf(name) !== null || matcher.dateOf(name) !== null) return compressed;
  }
  return null;
}

/** The generations of the logs of one stanza that are there, log by log; none for a log that is not. */
export function generationsOf(
  stanza: LogStanza,
  logs: readonly string[],
  listings: Listings,
): { readonly log: FileFact; readonly generations: readonly FileFact[] }[] {
  return inventory(stanza, logs, new Map(), listings).flatMap(({ log, generations }) =>
    log === null ? [] : [{ log, generations }],
  );
}

export type UncoveredLog = {
  readonly path: string;
  readonly sizeBytes: number;
  /** `apache2 (pid 123)`, or "" when nobody has it open for writing. */
  readonly writer: string;
};

/** What else a run was told is accepted and makes no difference. */
export type CoverageOptions = Partial<RotateOptions> & {
  /** Files smaller than this are left out; 1 when left out, since an empty file fills no disk. */
  readonly leastBytes?: number;
  /** At most so many are returned, the largest first; 200 when left out. */
  readonly most?: number;
};

const MAX_DEPTH = 8;
const MAX_FILES = 100_000;

// Old generations by name, whoever made them: `.1`, `.2.gz`, `-20261122`, `-20261122.gz`, `.0`, `.old`.
const GENERATION = /(\.\d{1,3}|[-.]\d{8}(\d{2}|-\d+)?|\.old|\.bak|\.backup)(\.(gz|bz2|xz|zst|Z|zip|lz4))?$/;
const COMPRESSED = /\.(gz|bz2|xz|zst|Z|zip|lz4)$/;
// systemd-journald keeps its own files in bounds.
const JOURNAL = /\.journal~?$/;

/**
 * Files that no stanza covers, the largest first.
 * @param roots directories to walk, without following links or leaving their file system's files
 */
export async function uncoveredLogs(
  rotation: Rotation,
  roots: readonly string[],
  options: CoverageOptions = {},
): Promise<UncoveredLog[]> {
  const { leastBytes = 1, most = 200 } = options;
  const underRoot = (path: string): boolean => roots.some((root) => path.startsWith(`${root}/`));
  const looksLikeLog = (path: string): boolean =>
    underRoot(path) || /(\.log|_log|\/logs?\/[^/]+)$/i.test(path);
  const writers = new Map<string, Writer>();
  for (const writer of openForWriting((path) => looksLikeLog(path) && !virtual(path))) {
    if (underRoot(writer.path) || writer.append) writers.set(writer.path, writer);
  }
  const covered = new Coverage(rotation);
  const found = new Map<string, UncoveredLog>();
  const consider = (path: string, sizeBytes: number, writer: Writer | undefined): void => {
    if (sizeBytes < leastBytes || JOURNAL.test(path) || covered.has(path)) return;
    if (writer === undefined && (GENERATION.test(path) || COMPRESSED.test(path))) return;
    found.set(path, { path, sizeBytes, writer: writer === undefined ? "" : formatWriter(writer) });
  };
  for (const root of roots) {
    for (const path of filesUnder(root)) {
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isFile()) consider(path, stat.size, writers.get(path));
    }
  }
  for (const writer of writers.values()) {
    if (!found.has(writer.path) && !writer.path.endsWith(" (deleted)"))
      consider(writer.path, writer.sizeBytes, writer);
  }
  return [...found.values()]
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.path < b.path ? -1 : 1))
    .slice(0, most);
}

function virtual(path: string): boolean {
  return /^\/(proc|sys|dev|run|memfd:)(\/|$)/.test(path);
}

// Files below a directory, names sorted; links are not followed, and a huge tree is looked at in part.
function* filesUnder(root: string): Generator<string> {
  const todo: { path: string; depth: number }[] = [{ path: root, depth: 0 }];
  let seen = 0;
  while (todo.length > 0) {
    const { path, depth } = todo.pop()!;
    let entries: Dirent[];
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch {
      continue; // Not ours to read, or gone: an unreadable log is the log checker's to report.
    }
    for (const entry of entries) {
      if (++seen > MAX_FILES) return;
      const child = `${path}/${entry.name}`;
      if (entry.isDirectory() && depth < MAX_DEPTH) todo.push({ path: child, depth: depth + 1 });
      else if (entry.isFile()) yield child;
    }
  }
}
