// Looks at the logs of one stanza and at the files their generations could be, so that planning needs nothing else.
import { lstatSync, type Stats } from "node:fs";
import type { Listings } from "./glob/expand.ts";
import { bytesOf } from "./names/bytes.ts";
import {
  baseOf,
  dateFormatOf,
  directoryOf,
  type GenerationMatcher,
  generationMatcher,
  joinPath,
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
      log: fact,
      trouble,
      parent: directoryFact(directoryOf(path)),
      generations: fact?.kind === "file" || fact?.kind === "other" ? generations(stanza, path, listings) : [],
      rotationPath: scheme.directory,
      rotationDirectory: directoryFact(scheme.directory),
      lastRotatedMs: stamps.get(path) ?? null,
    };
  });
}

// Files in the rotation directory that could be generations of this log, compressed or not.
function generations(stanza: LogStanza, log: string, listings: Listings): FileFact[] {
  const scheme = nameScheme(stanza.settings, log);
  const format = dateFormatOf(stanza.settings);
  const matchers = [
    generationMatcher(scheme, format, ""),
    generationMatcher(scheme, format, scheme.compressExt),
  ];
  const found: FileFact[] = [];
  const dated = stanza.settings.dateExt;
  const isGeneration = (matcher: GenerationMatcher, name: string): boolean =>
    (dated ? matcher.dateOf(name) : matcher.indexOf(name)) !== null;
  const { names } = listings.of(scheme.directory);
  for (let i = firstWithPrefix(names, scheme.stem); names[i]?.startsWith(scheme.stem); i++) {
    const name = names[i]!;
    if (name === baseOf(log) || !matchers.some((matcher) => isGeneration(matcher, name))) continue;
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

function look(path: string, follow: boolean): { fact: FileFact | null; trouble: string | null } {
  try {
    const stat = lstatSync(bytesOf(path));
    // olddir may be a link to a directory elsewhere; what it leads to counts.
    return {
      fact: factOf(path, follow && stat.isSymbolicLink() ? lstatSync(bytesOf(`${path}/.`)) : stat),
      trouble: null,
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "EIO";
    return { fact: null, trouble: code === "ENOENT" ? null : `cannot look at ${path}: ${code}` };
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
