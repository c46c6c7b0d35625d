// Answers which stanza looks after a path: as a log, or as a generation of one. What to make of files that none looks after is
// decided elsewhere; here the names are known.
import type { Listings } from "./glob/expand.ts";
import { matchPath } from "./glob/match.ts";
import { inventory } from "./inventory.ts";
import {
  baseOf,
  compareDates,
  dateFormatOf,
  directoryOf,
  generationMatcher,
  nameScheme,
} from "./names/match.ts";
import type { FileFact, LogStanza, Place, Rotation } from "./types.ts";

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
  // Most paths are told from a pattern by where it begins.
  readonly #patterns: { readonly prefix: string; readonly pattern: string }[] = [];
  // Directory, then stem: a name has fewer beginnings than a directory may have logs.
  readonly #byStem = new Map<string, Map<string, Named[]>>();

  constructor(rotation: Rotation) {
    this.#rotation = rotation;
    for (const stanza of rotation.stanzas) {
      for (const pattern of stanza.patterns) {
        this.#patterns.push({ prefix: /^[^*?[\]{}\\]*/.exec(pattern)![0].replace(/\/+/g, "/"), pattern });
      }
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
    return this.#logs.has(path) || this.generation(path) !== null || this.#matches(path);
  }

  #matches(path: string): boolean {
    return this.#patterns.some(({ prefix, pattern }) => path.startsWith(prefix) && matchPath(pattern, path));
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

/** The generations of the logs of one stanza that are there, oldest first, log by log; none for a log that is not. */
export function generationsOf(
  stanza: LogStanza,
  logs: readonly string[],
  listings: Listings,
): { readonly log: FileFact; readonly generations: readonly FileFact[] }[] {
  return inventory(stanza, logs, new Map(), listings).flatMap(({ log, generations }) =>
    log === null ? [] : [{ log, generations: oldestFirst(stanza, log.path, generations) }],
  );
}

// By their names: a time can be changed, and a restored backup has one time for all.
function oldestFirst({ settings }: LogStanza, log: string, generations: readonly FileFact[]): FileFact[] {
  const scheme = nameScheme(settings, log);
  const matchers = [scheme.compressExt, ""].map((suffix) =>
    generationMatcher(scheme, dateFormatOf(settings), suffix),
  );
  const keyed = generations.map((file) => {
    const name = baseOf(file.path);
    const index = matchers.map((matcher) => matcher.indexOf(name)).find((found) => found !== null);
    const date = matchers.map((matcher) => matcher.dateOf(name)).find((found) => found !== null);
    return { file, index: index ?? null, date: settings.dateExt ? (date ?? null) : null };
  });
  keyed.sort((a, b) => {
    if (a.date !== null && b.date !== null) return compareDates(a.date, b.date);
    if (a.index !== null && b.index !== null) return b.index - a.index;
    return a.file.mtimeMs - b.file.mtimeMs;
  });
  return keyed.map(({ file }) => file);
}
