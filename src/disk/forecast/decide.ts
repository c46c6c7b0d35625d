// Decides when a file system will be full. Pure. Samples of used space go in; the middle and a range come out. Rotations make
// saw teeth and bursts make steps, so growth is the median of the slopes between pairs of samples (Theil 1950, Sen 1968): up to
// 29 % of the samples may lie off without moving it much.
import type { DiskSample, Outlook } from "../types.ts";

const DAY_MS = 86_400_000;
// Two samples minutes apart say more about a temporary file than about growth.
const LEAST_SPAN_MS = 30 * 60_000;
// Pairs grow with the square: this many samples make 250,000 of them, looked at in some milliseconds.
const MAX_POINTS = 700;
const SAME_HOUR_MS = 20 * 60_000;
// Below two days, slopes between neighbours are noise: pairs reach over at least this share of the time.
const LONG_SHARE = 0.25;
// What every day or week does and undoes cancels out between samples of the same hour of it, as in the seasonal Kendall test of
// Hirsch, Slack and Smith (1982). A season is known after a little more than one of it; most rotations are weekly.
const SEASONS: readonly { fromMs: number; isPair: (apartMs: number, spanMs: number) => boolean }[] = [
  { fromMs: 0, isPair: (apartMs, spanMs) => spanMs < 2 * DAY_MS && apartMs >= spanMs * LONG_SHARE },
  { fromMs: 2 * DAY_MS, isPair: (apartMs) => isWhole(apartMs, DAY_MS) },
  { fromMs: 10 * DAY_MS, isPair: (apartMs) => isWhole(apartMs, 7 * DAY_MS) },
];
// The range holds the middle nine tenths of the slopes.
const LOW_QUANTILE = 0.05;
const HIGH_QUANTILE = 0.95;
// Growth beneath this share of the disk a day is called none: a date in a hundred years helps nobody.
const STILL_SHARE_PER_DAY = 1 / 36_500;
const HISTORY_POINTS = 48;

type Point = { readonly atMs: number; readonly used: number };

/** What is to be said of each file system by its samples, oldest first. */
export function decideOutlooks(samples: readonly DiskSample[]): Outlook[] {
  const byMount = new Map<string, DiskSample[]>();
  for (const sample of samples) {
    const known = byMount.get(sample.mount);
    if (known === undefined) byMount.set(sample.mount, [sample]);
    else known.push(sample);
  }
  return [...byMount.values()].map(decideOutlook);
}

function decideOutlook(of: readonly DiskSample[]): Outlook {
  const last = of.at(-1)!;
  const points = of
    // A file system that was made larger is another one.
    .filter((sample) => sample.sizeBytes === last.sizeBytes)
    .map((sample) => ({ atMs: Date.parse(sample.at), used: sample.sizeBytes - sample.freeBytes }))
    .filter(({ atMs }) => !Number.isNaN(atMs));
  const { mount, sizeBytes, freeBytes, sizeFiles, freeFiles } = last;
  const growth = decideGrowth(points);
  const still = sizeBytes * STILL_SHARE_PER_DAY;
  const swing = growth === null ? { usual: 0, most: 0 } : swingOf(points, growth.middle);
  const until = (bytesPerDay: number, swingBytes: number): number | null =>
    bytesPerDay > still ? (Math.max(0, freeBytes - swingBytes) / bytesPerDay) * DAY_MS : null;
  return {
    mount,
    sizeBytes,
    freeBytes,
    sizeFiles,
    freeFiles,
    bytesPerDay: growth?.middle ?? null,
    fullInMs: growth === null ? null : until(growth.middle, swing.usual),
    fullEarliestMs: growth === null ? null : until(growth.high, swing.most),
    fullLatestMs: growth === null ? null : until(growth.low, 0),
    history: thinned(points, HISTORY_POINTS).map(({ used }) => used),
  };
}

/** Growth in bytes a day: the middle and the ends of its range; null for too little time. */
function decideGrowth(
  points: readonly Point[],
): { readonly low: number; readonly middle: number; readonly high: number } | null {
  const few = thinned(points, MAX_POINTS);
  const spanMs = (few.at(-1)?.atMs ?? 0) - (few[0]?.atMs ?? 0);
  if (few.length < 2 || spanMs < LEAST_SPAN_MS) return null;
  // The middle by the longest season that is known, the range by all of them.
  const seasons = SEASONS.filter(({ fromMs }) => spanMs >= fromMs).map(({ isPair }) =>
    slopesOf(few, (apartMs) => isPair(apartMs, spanMs)),
  );
  const known = seasons.filter((slopes) => slopes.length > 0);
  // Samples that are days apart and never of one hour: a guard that runs now and then.
  if (known.length === 0) known.push(slopesOf(few, (apartMs) => apartMs >= spanMs * LONG_SHARE));
  return {
    low: Math.min(...known.map((slopes) => quantile(slopes, LOW_QUANTILE))),
    middle: quantile(known.at(-1) ?? [], 0.5),
    high: Math.max(...known.map((slopes) => quantile(slopes, HIGH_QUANTILE))),
  };
}

// Slopes in bytes a day between the pairs that are wanted, sorted.
function slopesOf(points: readonly Point[], isPair: (apartMs: number) => boolean): number[] {
  const slopes: number[] = [];
  for (const [index, late] of points.entries()) {
    for (let before = 0; before < index; before++) {
      const early = points[before]!;
      const apart = late.atMs - early.atMs;
      if (apart > 0 && isPair(apart)) slopes.push(((late.used - early.used) / apart) * DAY_MS);
    }
  }
  return slopes.sort((a, b) => a - b);
}

// Whole days or weeks apart, give or take.
function isWhole(apartMs: number, seasonMs: number): boolean {
  const over = apartMs % seasonMs;
  return apartMs > seasonMs / 2 && Math.min(over, seasonMs - over) <= SAME_HOUR_MS;
}

// By how much use goes above where it stands now, beside its growth: it is full at the top of a tooth.
function swingOf(points: readonly Point[], bytesPerDay: number): { usual: number; most: number } {
  const last = points.at(-1)!;
  const above = points
    .map(({ atMs, used }) => used - last.used + (bytesPerDay * (last.atMs - atMs)) / DAY_MS)
    .sort((a, b) => a - b);
  return { usual: Math.max(0, quantile(above, HIGH_QUANTILE)), most: Math.max(0, above.at(-1)!) };
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

// Evenly chosen, the newest always among them.
function thinned<T>(points: readonly T[], most: number): readonly T[] {
  if (points.length <= most) return points;
  return Array.from({ length: most }, (_, i) => points[Math.round((i * (points.length - 1)) / (most - 1))]!);
}

// A tenth left is a habit of administrators, not a measurement.
const LITTLE_SHARE = 0.1;
// A week holds a weekend and a holiday.
const SOON_MS = 7 * DAY_MS;
// A disk that is merely full enough stays so for months and must not make a report every hour; one that will not last
// the day does.
const PRESSING_SHARE = 0.02;

/** Why a file system needs a person, or null: `little`, `soon` or `files` (its inodes run out before its space). */
export function diskWorry(outlook: Omit<Outlook, "history">): "little" | "soon" | "files" | null {
  if (outlook.sizeBytes > 0 && outlook.freeBytes < outlook.sizeBytes * LITTLE_SHARE) return "little";
  if (outlook.fullInMs !== null && outlook.fullInMs < SOON_MS) return "soon";
  if (outlook.sizeFiles > 0 && outlook.freeFiles < outlook.sizeFiles * LITTLE_SHARE) return "files";
  return null;
}

/** True when a worry is reason enough for a report of its own. */
export function isPressing(outlook: Omit<Outlook, "history">): boolean {
  if (outlook.sizeBytes > 0 && outlook.freeBytes < outlook.sizeBytes * PRESSING_SHARE) return true;
  if (outlook.sizeFiles > 0 && outlook.freeFiles < outlook.sizeFiles * PRESSING_SHARE) return true;
  return outlook.fullInMs !== null && outlook.fullInMs < DAY_MS;
}
