// What rotation covers, as the disk room wants to know it: plain names and three questions.
import type { Covering } from "../disk/types.ts";
import { lookQuietly } from "../disk/walk.ts";
import { Coverage } from "../rotate/coverage.ts";
import { Listings } from "../rotate/glob/expand.ts";
import { hasMagic, matchPath } from "../rotate/glob/match.ts";
import { directoryOf, joinPath } from "../rotate/names/match.ts";
import { loadState } from "../rotate/state.ts";
import type { LogStanza, Rotation } from "../rotate/types.ts";

/** @param statePath logrotate's state, which knows what was there once */
export function coveringOf(rotation: Rotation, statePath: string): Covering {
  const coverage = new Coverage(rotation);
  const known = [...loadState(statePath).stamps.keys()];
  const listings = new Listings();
  return {
    has: (path) => coverage.has(path),
    generation: (path) => coverage.generation(path),
    placesFor: (path) => coverage.stanzasFor(path).map(({ place }) => `${place.file}:${place.line}`),
    stanzas: rotation.stanzas.map((stanza) => ({
      place: `${stanza.place.file}:${stanza.place.line}`,
      patterns: stanza.patterns,
      logs: stanza.logs,
      everRotated: wasThereOnce(stanza, known, coverage, listings),
    })),
  };
}

// The state also has logs that never were, by the names that stanzas give them; but what a wildcard matched was there, and so
// was whatever left generations.
function wasThereOnce(
  stanza: LogStanza,
  known: readonly string[],
  coverage: Coverage,
  listings: Listings,
): boolean {
  if (stanza.logs.some((log) => lookQuietly(log) !== null)) return true;
  for (const pattern of stanza.patterns.filter(hasMagic)) {
    if (known.some((path) => path !== pattern && matchPath(pattern, path))) return true;
  }
  return stanza.logs.some((log) => {
    const directory = directoryOf(log);
    return listings
      .of(directory)
      .names.some((name) => coverage.generation(joinPath(directory, name))?.log === log);
  });
}
