// The past that outlooks are made of: how full file systems and how large logs were, taken now and then as an event, so that it
// lies in the store like everything else that happened.
import { dirname } from "node:path";
import type { EventBody } from "../core/events.ts";
import { decideOutlooks, diskWorry, isPressing } from "../disk/forecast/decide.ts";
import { growthOf } from "../disk/growth/decide.ts";
import { lookAtRooms } from "../disk/mounts.ts";
import type { LogSample, Outlook, Sample } from "../disk/types.ts";
import { lookQuietly } from "../disk/walk.ts";
import type { DiskOutlook, GrowingLog } from "../report/types.ts";
import type { Store } from "../store/store.ts";
import type { Settings } from "./settings.ts";

/** How often a sample is taken. */
export const SAMPLE_MS = 1_800_000;
// Two weeks tell what comes every week from what stays; 672 samples of them are a few megabytes.
const KEEP_MS = 14 * 86_400_000;
const MAX_SAMPLES = 700;
// In a sample, the largest; a host with more logs has its growth in few of them.
const MAX_LOGS = 60;

/** The logs at this moment, those that are files. */
export function measureLogs(paths: readonly string[]): LogSample[] {
  return paths.flatMap((path) => {
    const stat = lookQuietly(path);
    return stat?.isFile() ? [{ path, sizeBytes: stat.size, ino: stat.ino }] : [];
  });
}

/** One sample of each file system that logs or the store lie on, and of the largest of these logs. */
export async function takeSample(settings: Settings, logs: readonly LogSample[]): Promise<EventBody> {
  const directories = new Set(logs.slice(0, MAX_LOGS).map(({ path }) => dirname(path)));
  const paths = ["/", ...settings.config.rotate.roots, settings.storeDirectory, ...directories];
  const rooms = await lookAtRooms(paths);
  const largest = [...logs].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, MAX_LOGS);
  return { type: "disk.sampled", disks: rooms.map(({ dev: _, ...room }) => room), logs: largest };
}

/** The samples of the two weeks before the newest event, oldest first. */
export function samplesOf(store: Store): Sample[] {
  const last = store.eventsSince(store.lastSeq() - 1, { limit: 1 })[0]?.event.at;
  if (last === undefined) return [];
  const edge = new Date(Date.parse(last) - KEEP_MS).toISOString();
  const found = store.eventsSince(seqBefore(store, edge), { types: ["disk.sampled"] });
  return found
    .slice(-MAX_SAMPLES)
    .flatMap(({ event }) =>
      event.type === "disk.sampled" && event.at >= edge
        ? [{ at: event.at, disks: event.disks, logs: event.logs }]
        : [],
    );
}

// The last seq whose event is older than a moment, by halves: a history of months is not read for its last weeks.
function seqBefore(store: Store, edge: string): number {
  let low = 0;
  let high = store.lastSeq();
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const next = store.eventsSince(middle, { limit: 1 })[0];
    if (next === undefined || next.event.at >= edge) high = middle;
    else low = Math.max(middle + 1, next.seq);
  }
  return low;
}

/** What is expected of each file system by these samples. */
export function outlooksOf(samples: readonly Sample[]): Outlook[] {
  return decideOutlooks(samples.flatMap(({ at, disks }) => disks.map((disk) => ({ at, ...disk }))));
}

/** The same for the digest, with what of it needs a person. */
export function disksForReport(samples: readonly Sample[]): DiskOutlook[] {
  return outlooksOf(samples).map((outlook) => ({
    ...outlook,
    worry: diskWorry(outlook),
    pressing: isPressing(outlook),
  }));
}

/** The logs that grow most, for the digest. */
export function growingLogs(samples: readonly Sample[], most: number): GrowingLog[] {
  const sizes = new Map(samples.at(-1)?.logs.map(({ path, sizeBytes }) => [path, sizeBytes]));
  return [...growthOf(samples)]
    .filter(([path, bytesPerDay]) => sizes.has(path) && bytesPerDay > 0)
    .map(([path, bytesPerDay]) => ({ path, bytesPerDay, sizeBytes: sizes.get(path)! }))
    .sort((a, b) => b.bytesPerDay - a.bytesPerDay)
    .slice(0, most);
}
