// Says at once that a disk is nearly full or will be within the day, whether a limit is set or not; once a day for each.
import type { Clock } from "../core/clock.ts";
import { formatDuration } from "../core/duration.ts";
import type { EventBody } from "../core/events.ts";
import { isPressing } from "../disk/forecast/decide.ts";
import type { Outlook } from "../disk/types.ts";
import { formatBytes } from "./terminal.ts";

const AGAIN_MS = 86_400_000;
// File systems are few; a host that mounts thousands is told of the first.
const MAX_MOUNTS = 256;

type Judged = Pick<Outlook, "mount" | "sizeBytes" | "freeBytes" | "sizeFiles" | "freeFiles"> &
  Partial<Outlook>;

export class DiskAlarms {
  readonly #emit: (body: EventBody) => unknown;
  readonly #clock: Clock;
  readonly #told = new Map<string, number>();

  constructor(emit: (body: EventBody) => unknown, clock: Clock) {
    this.#emit = emit;
    this.#clock = clock;
  }

  /** Alarms where there is reason to. What is not known of the future is left out. */
  judge(disk: Judged): void {
    const { mount, sizeBytes, freeBytes, fullInMs = null } = disk;
    // Disks that are read, not written (a CD, a squashfs), are always full.
    if (
      sizeBytes === 0 ||
      !isPressing({ bytesPerDay: null, fullEarliestMs: null, fullLatestMs: null, ...disk, fullInMs })
    )
      return;
    const now = this.#clock.monotonicMs();
    const last = this.#told.get(mount);
    if ((last !== undefined && now - last < AGAIN_MS) || this.#told.size >= MAX_MOUNTS) return;
    this.#told.set(mount, now);
    const room = `${formatBytes(freeBytes)} of ${formatBytes(sizeBytes)} free`;
    const why =
      fullInMs === null
        ? room
        : `${room}, full in ${formatDuration(Math.max(60_000, fullInMs))} if it goes on growing like this`;
    const mend = "see telltale disk; a limit under [disk] makes logs give way";
    this.#emit({ type: "disk.filling", mount, freeBytes, sizeBytes, why, mend });
  }
}
