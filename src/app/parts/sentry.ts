// Packets become probes, probes become scans.
import { startSentry } from "../../sentry/sentry.ts";
import { watchedBy } from "../../sentry/settings.ts";
import { keepMark } from "../marks.ts";
import type { PartContext, PartDefinition } from "../part.ts";
import { repeat } from "../schedule.ts";

// A scan that takes days must survive a restart; what a crash can lose of it is this much.
const REMEMBER_MS = 300_000;
const MEMORY_MARK = "sentry.memory";

export const sentryPart: PartDefinition = {
  name: "sentry",
  stillRuns: "logs are read and rotated; scans are not seen",
  async start({ settings, store, bus, clock, powers }: PartContext) {
    const { sentry: keys } = settings.config;
    if (!keys.enabled) return { off: "sentry.enabled = false" };
    const saved = store.marks.get(MEMORY_MARK);
    const sentry = startSentry(
      {
        openCapture: await powers.capture(),
        interfaces: keys.interfaces,
        loopback: keys.loopback,
        ...watchedBy(keys, settings.tripwires),
        scansPerSecond: keys.max_scans_per_second,
        clock,
        ...(saved !== null && { saved }),
      },
      bus.emit,
    );
    const remember = async (): Promise<void> => keepMark(store, MEMORY_MARK, sentry.save());
    // Writing it all down takes a tenth of a second, in which a flood would fill the ring; what is new in it is forged.
    const remembering = repeat(REMEMBER_MS, clock, async () => {
      if (!sentry.isFlooded) await remember();
    });
    // Whoever is let in again is counted again: afresh after a pardon, at once after a block that ran out.
    const unsubscribe = bus.subscribe((event) => {
      if (event.type === "block.applied" && event.throttled !== true) sentry.blocked(event.target);
      if (event.type === "block.lifted")
        sentry.release(event.target, event.cause === "expired" ? "expired" : "pardoned");
    });
    const tripwires =
      settings.tripwires.length === 0 ? [] : [`tripwire ports: ${listed(settings.tripwires)}`];
    return {
      describe: () => [sentry.describe(), ...tripwires],
      stop: async () => {
        unsubscribe();
        await remembering.stop();
        await remember();
        sentry.close();
      },
    };
  },
};

function listed(ports: readonly number[]): string {
  return ports.length <= 12
    ? ports.join(", ")
    : `${ports.slice(0, 12).join(", ")} and ${ports.length - 12} more`;
}
