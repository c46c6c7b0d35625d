// Decides how fast each log grows, from its sizes at moments apart. Pure. A log that became smaller was rotated or emptied: what
// it holds then has been written since, so the figure is what was written at least.
import type { LogSample, Sample } from "../types.ts";

const DAY_MS = 86_400_000;
// Below this, a day's figure would be made of too little.
const LEAST_SPAN_MS = 60_000;

/** What was written between two looks, in bytes. */
export function grownBytes(before: LogSample, after: LogSample): number {
  const sameFile = before.ino === after.ino && after.sizeBytes >= before.sizeBytes;
  return sameFile ? after.sizeBytes - before.sizeBytes : after.sizeBytes;
}

/** Bytes a day for every log that was seen at least twice, over all samples, oldest first. */
export function growthOf(samples: readonly Sample[]): ReadonlyMap<string, number> {
  const runs = new Map<string, { firstMs: number; lastMs: number; last: LogSample; written: number }>();
  for (const { at, logs } of samples) {
    const atMs = Date.parse(at);
    for (const log of logs) {
      const run = runs.get(log.path);
      if (run === undefined) runs.set(log.path, { firstMs: atMs, lastMs: atMs, last: log, written: 0 });
      else {
        run.written += grownBytes(run.last, log);
        run.last = log;
        run.lastMs = atMs;
      }
    }
  }
  const growth = new Map<string, number>();
  for (const [path, { firstMs, lastMs, written }] of runs) {
    if (lastMs - firstMs >= LEAST_SPAN_MS) growth.set(path, (written * DAY_MS) / (lastMs - firstMs));
  }
  return growth;
}
