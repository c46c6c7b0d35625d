// How full the file systems of the logs were, over the last days, so that a report can say when they will be full.
import type { Clock } from "../core/clock.ts";
import { diskOutlooks } from "../report/disks/decide.ts";
import { sampleDisks } from "../report/disks.ts";
import type { DiskOutlook, DiskSample } from "../report/types.ts";
import type { Store } from "../store/store.ts";
import { keepMark } from "./marks.ts";
import type { Settings } from "./settings.ts";

const MARK = "disk.samples";
/** How often a sample is taken. */
export const SAMPLE_MS = 1_800_000;
// A week of samples of some file systems: 336 of each, about 50 kB.
const KEEP_MS = 7 * 86_400_000;
const MAX_SAMPLES = 2_000;

/** Takes one sample of each file system that logs or the store lie on. */
export function recordDisks(settings: Settings, store: Store, clock: Clock): void {
  const now = clock.now();
  const paths = ["/", ...settings.config.rotate.roots, settings.storeDirectory];
  const edge = new Date(now.getTime() - KEEP_MS).toISOString();
  const kept = samplesOf(store).filter((sample) => sample.at >= edge);
  const samples = [...kept, ...sampleDisks(paths, now)].slice(-MAX_SAMPLES);
  keepMark(store, MARK, JSON.stringify(samples));
}

/** What is to be said of each of them. */
export function outlooksOf(store: Store): DiskOutlook[] {
  return diskOutlooks(samplesOf(store));
}

function samplesOf(store: Store): DiskSample[] {
  try {
    return JSON.parse(store.marks.get(MARK) ?? "[]") as DiskSample[];
  } catch {
    return []; // A damaged mark: the history of sizes begins anew.
  }
}
