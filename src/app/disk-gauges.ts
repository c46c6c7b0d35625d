// The disks for those who watch by figures: the room there is now, and when it will be gone by what was measured so far.
import type { Clock } from "../core/clock.ts";
import { lookAtRooms } from "../disk/mounts.ts";
import type { DiskOutlook } from "../report/types.ts";
import type { Store } from "../store/store.ts";
import { disksForReport, samplesOf } from "./disk-samples.ts";

// A sample comes every half hour; who asks every few seconds need not read two weeks of them each time.
const OUTLOOK_MS = 60_000;

/** Asks for the disks; the outlooks are as old as a minute, the room is what there is. */
export function diskGauges(
  store: Store,
  clock: Clock,
  look: typeof lookAtRooms = lookAtRooms,
): () => Promise<readonly DiskOutlook[]> {
  let outlooks: readonly DiskOutlook[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (clock.monotonicMs() - readAtMs >= OUTLOOK_MS) {
      outlooks = disksForReport(samplesOf(store));
      readAtMs = clock.monotonicMs();
    }
    const rooms = new Map((await look(outlooks.map(({ mount }) => mount))).map((room) => [room.mount, room]));
    return outlooks.map((outlook) => {
      const room = rooms.get(outlook.mount);
      return room === undefined
        ? outlook
        : { ...outlook, freeBytes: room.freeBytes, freeFiles: room.freeFiles };
    });
  };
}
