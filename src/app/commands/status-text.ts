// What the running guard is doing, as a person reads it.
import { formatDuration } from "../../core/duration.ts";
import { formatFault } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import type { GuardStatus, TodayFigures } from "../control/types.ts";
import { formatBytes, paint, shortTime } from "../terminal.ts";

/**
 * The whole answer of `telltale status`, in lines, with its last end of line.
 * @param now so that times of today are said without their day
 */
export function statusText(status: GuardStatus, now: Date, colour: boolean): string {
  const mode =
    status.mode === "block"
      ? "blocking: scanners are locked out"
      : `observing: nobody is blocked${status.modeBecause === "" ? "" : ` (${status.modeBecause})`}`;
  const cpuShare = (status.cpuMs / Math.max(1, status.uptimeMs)) * 100;
  const rows: (readonly [name: string, text: string, wrong?: boolean])[] = [
    [
      "up",
      `${formatDuration(status.uptimeMs)}, process ${status.pid}, since ${shortTime(new Date(status.startedAt), now)}`,
    ],
    ["uses", `${formatBytes(status.memoryBytes)} of memory, ${cpuShare.toFixed(2)} % of a core`],
    ["reads", status.configFiles.length === 0 ? "no telltale.toml: defaults" : status.configFiles.join(", ")],
    ...status.parts.flatMap(({ part, on, lines }) =>
      lines.map((line, index) => [index === 0 ? part : "", line, !on] as const),
    ),
    ...today(status.today, now).map((line, index) => [index === 0 ? "today" : "", line] as const),
    ["blocks", `${status.blocksInForce} in force`],
    [
      "waiting",
      `${status.reportsWaiting} ${status.reportsWaiting === 1 ? "report" : "reports"} for delivery`,
    ],
    ...status.next.map(
      ({ what, at }, index) =>
        [index === 0 ? "next" : "", `${what} ${shortTime(new Date(at), now)}`] as const,
    ),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    `${paint("telltale", "bold", colour)} ${status.version} on ${showable(status.host)}, ${mode}`,
    "",
    ...rows.map(
      ([name, text, wrong]) =>
        `  ${paint(name.padEnd(width), "bold", colour)}  ${paint(showable(text), "yellow", colour && wrong === true)}`,
    ),
    ...(status.faults.length === 0 ? [] : [""]),
    ...status.faults.map((fault) => paint(showable(formatFault(fault)), "yellow", colour)),
    "",
  ].join("\n");
}

/** What happened, the zeros left out except those that say the guard is at work. */
function today(figures: TodayFigures, now: Date): string[] {
  const since = new Date(figures.since);
  const isWhole = since.getHours() === 0 && since.getMinutes() === 0;
  const line = (
    ...parts: readonly (readonly [count: number, one: string, many: string, always?: boolean])[]
  ) =>
    parts
      .filter(([count, , , always]) => count > 0 || always === true)
      .map(([count, one, many]) => `${count} ${count === 1 ? one : many}`)
      .join(", ");
  return [
    line(
      [figures.scans, "scan", "scans", true],
      [figures.probes, "probe in them", "probes in them"],
      [figures.blocks, "block", "blocks", true],
      [figures.wouldBlock, "would have been blocked", "would have been blocked"],
    ),
    line(
      [figures.linesFound, "line reported", "lines reported", true],
      [figures.rotations, "log rotated", "logs rotated", true],
      [figures.rotationsFailed, "rotation failed", "rotations failed"],
    ),
    line(
      [figures.reports, "report delivered", "reports delivered", true],
      [figures.reportsFailed, "delivery failed", "deliveries failed"],
      [figures.packetsLost, "packet lost", "packets lost"],
      [figures.linesSkipped, "line skipped", "lines skipped"],
    ),
    ...(isWhole ? [] : [`(since ${shortTime(since, now)})`]),
  ];
}
