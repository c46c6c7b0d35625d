// Counts what happens, for those who watch many hosts by Prometheus. Labels are taken from closed lists only: an
// attacker who could choose a label could fill the memory of the guard and of the Prometheus that asks it.
import type { Event, Part } from "../core/events.ts";
import type { Metric } from "./metrics/render.ts";
import type { DiskOutlook } from "./types.ts";

/** Values that somebody else knows, asked when the metrics are read. */
export type Gauges = {
  readonly blocksInForce?: number;
  readonly reportsWaiting?: number;
  readonly disks?: readonly DiskOutlook[];
};

// A host has its logs on a few file systems; mount points are chosen by its administrator.
const MAX_DISKS = 64;

const HELP = {
  telltale_events_total: "Events by type.",
  telltale_scans_total: "Scans detected, by shape and grade of the evidence.",
  telltale_scans_withheld_total: "Scans seen but not told one by one.",
  telltale_verdicts_total: "Verdicts, by action and mode.",
  telltale_blocks_applied_total: "Blocks that the firewall confirmed.",
  telltale_blocks_failed_total: "Blocks that the firewall refused.",
  telltale_blocks_lifted_total: "Blocks that ended, by cause.",
  telltale_packets_stopped_total: "Packets stopped by blocks that have ended.",
  telltale_packets_lost_total: "Packets lost before they were read.",
  telltale_sources_evicted_total: "Sources forgotten before they were judged.",
  telltale_lines_found_total: "Log lines reported, by layer.",
  telltale_lines_skipped_total: "Log lines that were not read.",
  telltale_rotations_total: "Logs rotated, by result.",
  telltale_rotated_bytes_total: "Bytes of the logs that were rotated.",
  telltale_pruned_bytes_total: "Bytes of the files that retention removed.",
  telltale_reports_total: "Deliveries of reports, by result.",
} as const;

type Counter = keyof typeof HELP;

const PARTS: readonly Part[] = [
  "rotate",
  "check",
  "sentry",
  "respond",
  "report",
  "store",
  "config",
  "listener",
  "control",
];

export class Metrics {
  // At most the product of the closed lists below; a few dozen entries.
  readonly #counts = new Map<Counter, Map<string, { labels: Record<string, string>; value: number }>>();
  readonly #down = new Set<Part>();

  /** Counts one event. */
  observe(event: Event): void {
    this.#add("telltale_events_total", 1, { type: event.type });
    switch (event.type) {
      case "scan.detected":
        this.#add("telltale_scans_total", 1, { shape: event.scan.shape, grade: event.scan.grade });
        break;
      case "scans.withheld":
        this.#add("telltale_scans_withheld_total", event.count);
        break;
      case "verdict.reached":
        this.#add("telltale_verdicts_total", 1, { action: event.verdict.action, mode: event.verdict.mode });
        break;
      case "block.applied":
        this.#add("telltale_blocks_applied_total", 1);
        break;
      case "block.failed":
        this.#add("telltale_blocks_failed_total", 1);
        break;
      case "block.lifted":
        this.#add("telltale_blocks_lifted_total", 1, { cause: event.cause });
        this.#add("telltale_packets_stopped_total", event.packetsStopped);
        break;
      case "packets.lost":
        this.#add("telltale_packets_lost_total", event.count, { where: event.where });
        break;
      case "sources.evicted":
        this.#add("telltale_sources_evicted_total", event.count);
        break;
      case "line.found":
        this.#add("telltale_lines_found_total", 1, { layer: event.layer });
        break;
      case "lines.skipped":
        this.#add("telltale_lines_skipped_total", event.count);
        break;
      case "log.rotated":
        this.#add("telltale_rotations_total", 1, { result: "done" });
        this.#add("telltale_rotated_bytes_total", event.sizeBytes);
        break;
      case "log.pruned":
        this.#add("telltale_pruned_bytes_total", event.sizeBytes);
        break;
      case "rotation.failed":
        this.#add("telltale_rotations_total", 1, { result: "failed" });
        break;
      case "report.delivered":
        this.#add("telltale_reports_total", 1, { result: "delivered" });
        break;
      case "report.failed":
        this.#add("telltale_reports_total", 1, { result: "failed" });
        break;
      case "part.failed":
        this.#down.add(event.part);
        break;
      case "part.recovered":
        this.#down.delete(event.part);
        break;
      default:
        break; // Counted by its type above.
    }
  }

  /** Everything counted since the start, for `renderMetrics`. */
  read(gauges: Gauges = {}): Metric[] {
    const metrics: Metric[] = [];
    for (const [name, help] of Object.entries(HELP) as [Counter, string][]) {
      const values = [...(this.#counts.get(name)?.values() ?? [])];
      metrics.push({ name, help, kind: "counter", values });
    }
    metrics.push({
      name: "telltale_part_up",
      help: "1 while a part of the guard works, 0 after it failed.",
      kind: "gauge",
      values: PARTS.map((part) => ({ labels: { part }, value: this.#down.has(part) ? 0 : 1 })),
    });
    const gauge = (name: string, help: string, value: number | undefined) => {
      if (value !== undefined) metrics.push({ name, help, kind: "gauge", values: [{ labels: {}, value }] });
    };
    gauge("telltale_blocks_in_force", "Blocks that hold now.", gauges.blocksInForce);
    gauge("telltale_reports_waiting", "Reports that wait for their delivery.", gauges.reportsWaiting);
    return [...metrics, ...diskMetrics(gauges.disks ?? [])];
  }

  #add(name: Counter, by: number, labels: Record<string, string> = {}): void {
    let values = this.#counts.get(name);
    if (values === undefined) this.#counts.set(name, (values = new Map()));
    const key = Object.values(labels).join(" ");
    const known = values.get(key);
    if (known === undefined) values.set(key, { labels, value: by });
    else known.value += by;
  }
}

/** Four figures a file system; what is not known yet has no value. */
function diskMetrics(disks: readonly DiskOutlook[]): Metric[] {
  const gauge = (name: string, help: string, value: (disk: DiskOutlook) => number | null): Metric => ({
    name,
    help,
    kind: "gauge",
    values: disks.slice(0, MAX_DISKS).flatMap((disk) => {
      const found = value(disk);
      return found === null ? [] : [{ labels: { mount: disk.mount }, value: found }];
    }),
  });
  if (disks.length === 0) return [];
  return [
    gauge("telltale_disk_size_bytes", "Size of a file system that logs lie on.", (disk) => disk.sizeBytes),
    gauge("telltale_disk_free_bytes", "What is free on it.", (disk) => disk.freeBytes),
    gauge("telltale_disk_free_inodes", "Files that can still be made on it.", (disk) =>
      disk.sizeFiles === 0 ? null : disk.freeFiles,
    ),
    gauge("telltale_disk_growth_bytes_per_day", "By how much it fills.", (disk) => disk.bytesPerDay),
    gauge(
      "telltale_disk_full_seconds",
      "Until it is full if it goes on like this; +Inf: never.",
      secondsToFull,
    ),
  ];
}

function secondsToFull({ bytesPerDay, fullInMs }: DiskOutlook): number | null {
  if (bytesPerDay === null) return null;
  return fullInMs === null ? Number.POSITIVE_INFINITY : Math.round(fullInMs / 1_000);
}
