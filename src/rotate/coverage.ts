// Finds the logs that no stanza covers: files under the log directories, and files elsewhere that look like logs and that a
// process has open for appending. These are the ones that fill a disk one night.
import { type Dirent, lstatSync, readdirSync } from "node:fs";
import { matchPath } from "./glob/match.ts";
import { baseOf, dateFormatOf, directoryOf, generationMatcher, nameScheme } from "./names/match.ts";
import type { LogStanza, RotateOptions, Rotation } from "./types.ts";
import { formatWriter, openForWriting, type Writer } from "./writers.ts";

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

/** The first stanza with a pattern or a log that covers this path, or null. */
export function coveredBy(rotation: Rotation, path: string): LogStanza | null {
  return (
    rotation.stanzas.find(
      (stanza) => stanza.logs.includes(path) || stanza.patterns.some((pattern) => matchPath(pattern, path)),
    ) ?? null
  );
}

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
  const covered = new Covered(rotation);
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

// Answers quickly whether a path is a log of a stanza or a generation of one.
class Covered {
  readonly #rotation: Rotation;
  readonly #logs: Set<string>;
  readonly #byDirectory = new Map<string, { stanza: LogStanza; log: string }[]>();

  constructor(rotation: Rotation) {
    this.#rotation = rotation;
    this.#logs = new Set(rotation.stanzas.flatMap((stanza) => stanza.logs));
    for (const stanza of rotation.stanzas) {
      for (const log of stanza.logs) {
        const { directory } = nameScheme(stanza.settings, log);
        const here = this.#byDirectory.get(directory) ?? [];
        here.push({ stanza, log });
        this.#byDirectory.set(directory, here);
      }
    }
  }

  has(path: string): boolean {
    return this.#logs.has(path) || this.#isGeneration(path) || coveredBy(this.#rotation, path) !== null;
  }

  #isGeneration(path: string): boolean {
    const name = baseOf(path);
    return (this.#byDirectory.get(directoryOf(path)) ?? []).some(({ stanza, log }) => {
      const scheme = nameScheme(stanza.settings, log);
      if (!name.startsWith(scheme.stem)) return false;
      return ["", scheme.compressExt].some((suffix) => {
        const matcher = generationMatcher(scheme, dateFormatOf(stanza.settings), suffix);
        return matcher.indexOf(name) !== null || matcher.dateOf(name) !== null;
      });
    });
  }
}
