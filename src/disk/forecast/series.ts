// Use of a disk as it goes on servers, made from a seed so that how it goes on is known: for measuring the forecast.
import type { DiskSample } from "../types.ts";

export type Shape = {
  readonly name: string;
  /** Share of the net daily growth that comes and goes between two rotations, and how often they are. */
  readonly toothGrowths: number;
  readonly toothHours: number;
  /** Bursts that stay, so many in a week, each so many days of growth. */
  readonly bursts: number;
  readonly burstDays: number;
  /** Files that come and go, in days of growth. */
  readonly noiseDays: number;
  /** More by day than by night. */
  readonly dayNight: boolean;
  /** What the forecast has to keep to. */
  readonly medianError: number;
  readonly within: number;
};

const CALM = { toothGrowths: 0, toothHours: 24, bursts: 0, burstDays: 0, noiseDays: 0.05, dayNight: false };

export const SHAPES: readonly Shape[] = [
  { ...CALM, name: "steady growth", medianError: 0.05, within: 40 },
  { ...CALM, name: "days and nights", dayNight: true, medianError: 0.05, within: 50 },
  { ...CALM, name: "a rotation each day", toothGrowths: 2, dayNight: true, medianError: 0.1, within: 50 },
  { ...CALM, name: "a rotation each week", toothGrowths: 0.5, toothHours: 168, medianError: 0.4, within: 30 },
  { ...CALM, name: "bursts that stay", bursts: 2, burstDays: 1, medianError: 0.3, within: 40 },
  { ...CALM, name: "large files that come and go", noiseDays: 1, medianError: 0.15, within: 50 },
];

const SIZE = 100e9;
const WEEK_HOURS = 168;
const STEP_HOURS = 0.5;

// mulberry32: the same numbers on every machine.
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** So many days of samples, and how long after them the disk is full. */
export function series(
  shape: Shape,
  seed: number,
  days: number,
): { samples: DiskSample[]; fullInMs: number } {
  const next = chance(seed * 7919);
  const perDay = (0.005 + 0.02 * next()) * SIZE;
  const begin = (0.3 + 0.3 * next()) * SIZE;
  const phase = next() * shape.toothHours;
  const samples: DiskSample[] = [];
  let lasting = begin;
  for (let hours = 0; ; hours += STEP_HOURS) {
    const busy = shape.dayNight ? 1 + 0.9 * Math.sin((hours / 24) * 2 * Math.PI) : 1;
    lasting += (perDay / 24) * STEP_HOURS * busy;
    if (next() < (shape.bursts / WEEK_HOURS) * STEP_HOURS) lasting += shape.burstDays * perDay;
    const tooth = shape.toothGrowths * perDay * (((hours + phase) % shape.toothHours) / 24);
    const used = lasting + tooth + (next() - 0.5) * 2 * shape.noiseDays * perDay;
    if (hours > days * 24) {
      if (used >= SIZE) return { samples, fullInMs: (hours - days * 24) * 3_600_000 };
      continue;
    }
    samples.push({
      at: new Date(Date.UTC(2026, 0, 1) + hours * 3_600_000).toISOString(),
      mount: "/var",
      sizeBytes: SIZE,
      freeBytes: SIZE - used,
      sizeFiles: 0,
      freeFiles: 0,
    });
  }
}
