// When a disk will be full. Pure: samples of free space go in, the worries come out. Log disks fill at night, and a
// report in the evening is the last moment at which somebody can still do something about it calmly.
import type { DiskOutlook, DiskSample } from "../types.ts";

// A tenth left is a habit of administrators, not a measurement.
const LITTLE_SHARE = 0.1;

// A week holds a weekend and a holiday.
const SOON_MS = 7 * 86_400_000;

// A disk that is merely full enough stays so for months and must not make a report every hour; one that will not last
// the day does.
const PRESSING_SHARE = 0.02;
const PRESSING_MS = 86_400_000;

// Two samples minutes apart say more about a temporary file than about growth.
const LEAST_SPAN_MS = 30 * 60_000;

/**
 * What is to be said of each file system by its samples, oldest first; growth is the line of least squares through
 * them, so that the saw teeth of rotations even out.
 */
export function diskOutlooks(samples: readonly DiskSample[]): DiskOutlook[] {
  const byMount = new Map<string, DiskSample[]>();
  for (const sample of samples) {
    const known = byMount.get(sample.mount);
    if (known === undefined) byMount.set(sample.mount, [sample]);
    else known.push(sample);
  }
  return [...byMount.values()].map((of) => {
    const { mount, sizeBytes, freeBytes, sizeFiles, freeFiles } = of.at(-1)!;
    return { mount, sizeBytes, freeBytes, sizeFiles, freeFiles, fullInMs: fullInMs(of) };
  });
}

/** Why a file system needs a person, or null: `little`, `soon` or `files` (its inodes run out before its space). */
export function diskWorry(outlook: DiskOutlook): "little" | "soon" | "files" | null {
  if (outlook.sizeBytes > 0 && outlook.freeBytes < outlook.sizeBytes * LITTLE_SHARE) return "little";
  if (outlook.fullInMs !== null && outlook.fullInMs < SOON_MS) return "soon";
  if (outlook.sizeFiles > 0 && outlook.freeFiles < outlook.sizeFiles * LITTLE_SHARE) return "files";
  return null;
}

/** True when a worry is reason enough for a report of its own. */
export function isPressing(outlook: DiskOutlook): boolean {
  if (outlook.sizeBytes > 0 && outlook.freeBytes < outlook.sizeBytes * PRESSING_SHARE) return true;
  if (outlook.sizeFiles > 0 && outlook.freeFiles < outlook.sizeFiles * PRESSING_SHARE) return true;
  return outlook.fullInMs !== null && outlook.fullInMs < PRESSING_MS;
}

function fullInMs(samples: readonly DiskSample[]): number | null {
  const last = samples.at(-1)!;
  const points = samples
    // A file system that was made larger is another one.
    .filter((sample) => sample.sizeBytes === last.sizeBytes)
    .map((sample) => ({ atMs: Date.parse(sample.at), used: sample.sizeBytes - sample.freeBytes }))
    .filter(({ atMs }) => !Number.isNaN(atMs));
  const [first] = points;
  if (first === undefined || points.at(-1)!.atMs - first.atMs < LEAST_SPAN_MS) return null;
  const meanAt = mean(points.map(({ atMs }) => atMs));
  const meanUsed = mean(points.map(({ used }) => used));
  let above = 0;
  let below = 0;
  for (const { atMs, used } of points) {
    above += (atMs - meanAt) * (used - meanUsed);
    below += (atMs - meanAt) ** 2;
  }
  const bytesPerMs = below === 0 ? 0 : above / below;
  return bytesPerMs > 0 ? last.freeBytes / bytesPerMs : null;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
