// Everything `telltale disk` says, gathered: what was measured before, what is there now, and what rotation would do.
import { lookAtCoverage } from "../disk/coverage.ts";
import { lookAtRooms } from "../disk/mounts.ts";
import type { JournalUse, LogOutlook, Outlook, Sample } from "../disk/types.ts";
import { lookQuietly } from "../disk/walk.ts";
import { generationsOf } from "../rotate/coverage.ts";
import { Listings } from "../rotate/glob/expand.ts";
import { directoryOf } from "../rotate/names/match.ts";
import { planRotations } from "../rotate/run.ts";
import type { LogPlan, Rotation } from "../rotate/types.ts";
import { coveringOf } from "./covering.ts";
import { limitsFor } from "./disk-limits.ts";
import { outlooksOf } from "./disk-samples.ts";
import { loadForRelief } from "./relief.ts";
import type { Settings } from "./settings.ts";
import { formatBytes } from "./terminal.ts";

// The logs that matter: more of them, and nobody reads the first.
const LOGS = 10;

export type DiskReport = {
  readonly disks: readonly (Outlook & { readonly limits: string })[];
  readonly logs: readonly LogOutlook[];
  /** What the rotations due now remove, and what the next rotation of every log will. */
  readonly nextRotationFrees: { readonly due: number; readonly dueBytes: number; readonly allBytes: number };
  readonly uncoveredBytes: number;
  readonly journals: readonly JournalUse[];
  /** From how many samples growth is reckoned. */
  readonly samples: number;
};

/** @param growth bytes a day by log, as far as it was measured */
export async function gatherDiskReport(
  settings: Settings,
  samples: readonly Sample[],
  growth: ReadonlyMap<string, number>,
  now: Date,
): Promise<DiskReport> {
  const { roots } = settings.config.rotate;
  const rotation = await loadForRelief(settings);
  const coverage = await lookAtCoverage(coveringOf(rotation, settings.rotateState), {
    roots,
    now,
    bytesPerDay: (path) => growth.get(path) ?? null,
  });
  const logs = [
    ...coveredLogs(rotation, growth),
    ...coverage.uncovered.map(({ path, sizeBytes, bytesPerDay }) => ({
      path,
      sizeBytes,
      generationBytes: 0,
      bytesPerDay,
      covered: false,
    })),
  ];
  const options = { configs: settings.rotateConfigs, statePath: settings.rotateState, now };
  const due = (await planRotations(rotation, options)).filter((plan) => plan.verdict === "rotate");
  const next = await planRotations(rotation, { ...options, force: true });
  return {
    disks: await disksOf(settings, samples, [...new Set(logs.map(({ path }) => directoryOf(path)))], now),
    logs: logs
      .sort(
        (a, b) =>
          (b.bytesPerDay ?? 0) - (a.bytesPerDay ?? 0) || total(b) - total(a) || (a.path < b.path ? -1 : 1),
      )
      .slice(0, LOGS),
    nextRotationFrees: { due: due.length, dueBytes: bytesFreed(due), allBytes: bytesFreed(next) },
    uncoveredBytes: coverage.uncovered.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    journals: coverage.journals,
    samples: samples.length,
  };
}

function bytesFreed(plans: readonly LogPlan[]): number {
  return plans.reduce((sum, plan) => sum + plan.bytesFreed, 0);
}

function total({ sizeBytes, generationBytes }: LogOutlook): number {
  return sizeBytes + generationBytes;
}

function coveredLogs(rotation: Rotation, growth: ReadonlyMap<string, number>): LogOutlook[] {
  const listings = new Listings();
  return rotation.stanzas.flatMap((stanza) =>
    generationsOf(stanza, stanza.logs, listings)
      .filter(({ log }) => log.kind === "file")
      .map(({ log, generations }) => ({
        path: log.path,
        sizeBytes: log.sizeBytes,
        generationBytes: generations.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        bytesPerDay: growth.get(log.path) ?? byAge(log.path, log.sizeBytes),
        covered: true,
      })),
  );
}

// What is in it now, over the time since it was begun.
function byAge(path: string, sizeBytes: number): number | null {
  const stat = lookQuietly(path);
  if (stat === null || stat.birthtimeMs <= 0) return null;
  const ageMs = stat.mtimeMs - stat.birthtimeMs;
  return ageMs < 600_000 ? null : (sizeBytes * 86_400_000) / ageMs;
}

// As it is now, with the past that was sampled.
async function disksOf(
  settings: Settings,
  samples: readonly Sample[],
  directories: readonly string[],
  now: Date,
): Promise<DiskReport["disks"]> {
  const rooms = await lookAtRooms([...settings.config.rotate.roots, ...directories]);
  const current = { at: now.toISOString(), disks: rooms.map(({ dev: _, ...room }) => room), logs: [] };
  const here = new Set(rooms.map(({ mount }) => mount));
  return outlooksOf([...samples, current])
    .filter(({ mount }) => here.has(mount))
    .map((outlook) => ({ ...outlook, limits: limitsText(settings, outlook.sizeBytes) }));
}

function limitsText(settings: Settings, sizeBytes: number): string {
  const { minFreeBytes, maxLogBytes } = limitsFor(settings, sizeBytes);
  const limits = [
    minFreeBytes > 0 ? `logs give way below ${formatBytes(minFreeBytes)} free` : "",
    maxLogBytes > 0 ? `logs are kept below ${formatBytes(maxLogBytes)}` : "",
  ].filter((text) => text !== "");
  return limits.length === 0 ? "no limit: nothing gives way (set one under [disk])" : limits.join("; ");
}
