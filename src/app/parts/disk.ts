// How logs and disks grow: samples for the outlook, and a word at once when a log grows far beyond its habit. All of it is done
// with the rights of whoever reads logs; what needs more (who writes what, making room) is the rotation's.
import { lookAtRooms } from "../../disk/mounts.ts";
import { newestLines } from "../../disk/newlines.ts";
import { Habits, type Surge } from "../../disk/surge/decide.ts";
import { frequentTemplates } from "../../disk/templates/match.ts";
import { followedLogs } from "../coverage-news.ts";
import { DiskAlarms } from "../disk-alarms.ts";
import { measureLogs, outlooksOf, SAMPLE_MS, samplesOf, takeSample } from "../disk-samples.ts";
import type { PartContext, PartDefinition } from "../part.ts";
import { repeat } from "../schedule.ts";
import { formatBytes } from "../terminal.ts";

// Kinds of lines that are told with a surge.
const TEMPLATES = 3;

export const diskPart: PartDefinition = {
  name: "disk",
  stillRuns: "everything else; nobody watches how logs grow",
  async start({ settings, bus, clock, store }: PartContext) {
    const { config } = settings;
    if (!config.disk.enabled) return { off: "disk.enabled = false" };
    const habits = new Habits();
    const alarms = new DiskAlarms(bus.emit, clock);
    const sample = async (): Promise<void> => {
      bus.emit(await takeSample(settings, measureLogs(followedLogs(store))));
      bus.flush();
      for (const outlook of outlooksOf(samplesOf(store))) alarms.judge(outlook);
    };
    const look = async (): Promise<void> => {
      for (const room of await lookAtRooms(["/", ...config.rotate.roots, settings.storeDirectory]))
        alarms.judge(room);
      const logs = measureLogs(followedLogs(store));
      for (const surge of habits.look(logs, clock.monotonicMs())) {
        const { path, bytesPerDay, usualBytesPerDay } = surge;
        const sizeBytes = logs.find((log) => log.path === path)!.sizeBytes;
        const templates = templatesOf(surge);
        bus.emit({ type: "log.surged", path, sizeBytes, bytesPerDay, usualBytesPerDay, templates });
      }
    };
    await sample();
    const looks = [repeat(config.disk.every, clock, look), repeat(SAMPLE_MS, clock, sample)];
    const rooms = await lookAtRooms(["/", ...config.rotate.roots]);
    return {
      describe: () => [
        `${rooms.map(({ mount, freeBytes, sizeBytes }) => `${mount} ${formatBytes(freeBytes)} of ${formatBytes(sizeBytes)} free`).join(", ")} at the start; see telltale disk`,
      ],
      stop: async () => {
        await Promise.all(looks.map((each) => each.stop()));
      },
    };
  },
};

function templatesOf({ path, fromBytes }: Surge): { text: string; count: number }[] {
  return frequentTemplates(newestLines(path, fromBytes), TEMPLATES).map(({ text, count }) => ({
    text,
    count,
  }));
}
