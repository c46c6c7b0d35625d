// Looks at the logs of one stanza and at the files their generations could be, so that planning needs nothing else.
import { lstatSync, type Stats } from "node:fs";
import type { Listings } from "./glob/expand.ts";
import { bytesOf } from "./names/bytes.ts";
import {
  baseOf,
  dateFormatOf,
  directoryOf,
  generationMatcher,
  joinPath,
  type NameScheme,
  nameScheme,
} from "./names/match.ts";
import type { FileFact, LogFacts, LogStanza } from "./types.ts";

/** The facts of every log of a stanza, in order. */
export function inventory(
  stanza: LogStanza,
  logs: readonly string[],
  stamps: ReadonlyMap<string, number>,
  listings: Listings,
): LogFacts[] {
  const directories = new Map<string, FileFact | null>();
  const directoryFact = (path: string): FileFact | null => {
    let fact = directories.get(path);
    if (fact === undefined) {
      fact = look(path, true).fact;
      directories.set(path, fact);
    }
    return fact;
  };
  return logs.map((path) => {
    const { fact, trouble } = look(path, false);
    const scheme = nameScheme(stanza.settings, path);
    return {
      path,
      scheme,
      log: fact,
      trouble,
      parent: directoryFact(directoryOf(path)),
      generations:
        fact?.kind === "file" || fact?.kind === "other" ? generations(stanza, path, scheme, listings) : [],
      rotationDirectory: directoryFact(scheme.directory),
      lastRotatedMs: stamps.get(path) ?? null,
    };
  });
}

// Files in the rotation directory that could be generations of this log, compressed or not.
function generations(stanza: LogStanza, log: string, scheme: NameScheme, listings: Listings): FileFact[] {
  const format = dateFormatOf(stanza.settings);
  const plain = generationMatcher(scheme, format, "");
  const compressed = generationMatcher(scheme, format, scheme.compressExt);
  const found: FileFact[] = [];
  const isGeneration = (name: string): boolean =>
    stanza.settings.dateExt
      ? plain.dateOf(name) !== null || compressed.dateOf(name) !== null
      : plain.indexOf(name) !== null || compressed.indexOf(name) !== null;
  const own = baseOf(log);
  const { names } = listings.of(scheme.directory);
  for (let i = firstWithPrefix(names, scheme.stem); names[i]?.startsWith(scheme.stem); i++) {
    const name = names[i]!;
    if (name === own || !isGeneration(name)) continue;
    const { fact } = look(joinPath(scheme.directory, name), false);
    if (fact !== null) found.push(fact);
  }
  return found;
}

// Where in the sorted names those with this prefix begin.
function firstWithPrefix(names: readonly string[], prefix: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle]! < prefix) low = middle + 1;
    else high = middle;
  }
  return low;
}

type Look = { readonly fact: FileFact | null; readonly trouble: string | null };

const NOT_THERE: Look = { fact: null, trouble: null };
const QUIETLY = { throwIfNoEntry: false } as const;

function look(path: string, follow: boolean): Look {
  try {
    const stat = lstatSync(bytesOf(path), QUIETLY);
    if (stat === undefined) return NOT_THERE;
    // olddir may be a link to a directory elsewhere; what it leads to counts.
    return {
      fact: factOf(path, follow && stat.isSymbolicLink() ? lstatSync(bytesOf(`${path}/.`)) : stat),
      trouble: null,
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "EIO";
    return code === "ENOENT" ? NOT_THERE : { fact: null, trouble: `cannot look at ${path}: ${code}` };
  }
}

/** An lstat result as a fact. */
export function factOf(path: string, stat: Stats): FileFact {
  return {
    path,
    kind: stat.isFile()
      ? "file"
      : stat.isSymbolicLink()
        ? "link"
        : stat.isDirectory()
          ? "directory"
          : "other",
    dev: stat.dev,
    ino: stat.ino,
    links: stat.nlink,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    sizeBytes: stat.size,
    atimeMs: stat.atimeMs,
    mtimeMs: stat.mtimeMs,
  };
}
