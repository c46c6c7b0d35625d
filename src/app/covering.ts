// What rotation covers, as the disk room wants to know it: plain names and three questions.
import type { Covering } from "../disk/types.ts";
import { Coverage } from "../rotate/coverage.ts";
import { loadState } from "../rotate/state.ts";
import type { Rotation } from "../rotate/types.ts";

/** @param statePath logrotate's state, which knows what was rotated once */
export function coveringOf(rotation: Rotation, statePath: string): Covering {
  const coverage = new Coverage(rotation);
  const { stamps } = loadState(statePath);
  return {
    has: (path) => coverage.has(path),
    generation: (path) => coverage.generation(path),
    placesFor: (path) => coverage.stanzasFor(path).map(({ place }) => `${place.file}:${place.line}`),
    stanzas: rotation.stanzas.map(({ place, patterns, logs }) => ({
      place: `${place.file}:${place.line}`,
      patterns,
      logs,
      everRotated: logs.some((log) => stamps.has(log)),
    })),
  };
}
