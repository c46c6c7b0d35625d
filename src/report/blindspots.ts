// What the guard did not see, could not do or could not say. A report without this section claims that nothing was
// missed, so every event of loss must find its sentence here.
import { formatDuration } from "../core/duration.ts";
import { formatFault } from "../core/errors.ts";
import type { Event } from "../core/events.ts";
import { bytes, counted, syslogStamp } from "./figures/render.ts";

/** A sentence about a loss. Blind spots with one `key` are the same thing happening again. */
export type BlindSpot = {
  readonly key: string;
  readonly text: string;
  readonly mend: string;
  /** What was lost, in the unit named by `unit`; adds up over repeats. */
  readonly amount: number;
  readonly unit: string;
  readonly at: string;
  /** Smaller comes first. */
  readonly rank: number;
};

// A restart for an upgrade takes seconds; a minute without a guard is worth a line.
const QUIET_RESTART_MS = 60_000;

/** The loss an event tells of, or null. Times between a stop and the next start are found by `pauses`. */
export function blindSpot(event: Event): BlindSpot | null {
  const base = { at: event.at, mend: "", amount: 0, unit: "" };
  switch (event.type) {
    case "part.failed":
      return {
        ...base,
        rank: 0,
        key: `part ${event.part} ${alike(event.why)}`,
        text: `${event.part} failed: ${event.why}; ${event.stillRuns}`,
        mend: event.mend,
      };
    case "part.recovered":
      return {
        ...base,
        rank: 7,
        key: `recovered ${event.part}`,
        text: `${event.part} works again: ${event.how}`,
      };
    case "block.failed":
      return {
        ...base,
        rank: 1,
        key: `block ${event.why}`,
        text: `${event.target} could not be blocked: ${event.why}`,
        mend: event.mend,
      };
    case "packets.lost":
      return {
        ...base,
        rank: 2,
        key: `packets ${event.where}`,
        text: `packets arrived faster than they were read (lost in the ${event.where})`,
        amount: event.count,
        unit: "packet",
      };
    case "sources.evicted":
      return {
        ...base,
        rank: 2,
        key: `sources ${alike(event.because)}`,
        text: `scanners forgotten before they were judged: ${event.because}`,
        amount: event.count,
        unit: "source",
      };
    case "scans.withheld":
      return {
        ...base,
        rank: 2,
        key: `scans ${alike(event.because)}`,
        text: `scans seen but not told one by one: ${event.because}`,
        amount: event.count,
        unit: "scan",
      };
    case "lines.skipped":
      return {
        ...base,
        rank: 2,
        key: `lines ${event.source} ${event.because}`,
        text: `${event.source}: lines not read: ${event.because}`,
        amount: event.count,
        unit: "line",
      };
    case "log.unreadable":
      return {
        ...base,
        rank: 3,
        key: `log ${event.path} ${event.why}`,
        text: `${event.path} cannot be read: ${event.why}`,
        mend: event.mend,
      };
    case "log.shrank":
      return {
        ...base,
        rank: 3,
        key: `shrank ${event.path}`,
        text:
          `${event.path} shrank from ${bytes(event.fromBytes)} to ${bytes(event.toBytes)} ` +
          "without being rotated: somebody truncated or replaced it",
      };
    case "log.silent":
      return {
        ...base,
        rank: 3,
        key: `silent ${event.path}`,
        text:
          `${event.path} has been silent for ${formatDuration(event.quietMs)}, since ${syslogStamp(event.lastAt)}; ` +
          `it never was for longer than ${formatDuration(event.usualLongestMs)}`,
        mend: "see whether its writer still runs and still writes there",
      };
    case "config.rejected":
      return {
        ...base,
        rank: 4,
        key: `rejected ${faultsKey(event.faults)}`,
        text: `the new configuration was refused, the old one stays: ${faultsText(event.faults)}`,
      };
    case "config.faulty":
      return {
        ...base,
        rank: 5,
        key: `faulty ${faultsKey(event.faults)}`,
        text: `the configuration has faults: ${faultsText(event.faults)}`,
      };
    case "report.failed":
      return {
        ...base,
        rank: 6,
        key: `report ${event.route} ${event.why}`,
        text: `a report could not be delivered by ${event.route}: ${event.why}`,
        mend: event.mend,
      };
    default:
      return null;
  }
}

/** The times in which nobody watched: a stop followed a minute or more later by a start, or a start without a stop. */
export function pauses(events: readonly Event[]): BlindSpot[] {
  const found: BlindSpot[] = [];
  let stopped: { at: string; because: string } | null = null;
  let running = false;
  for (const event of events) {
    if (event.type === "guard.stopped") {
      stopped = { at: event.at, because: event.because };
      running = false;
    } else if (event.type === "guard.started") {
      const base = { at: event.at, mend: "", amount: 0, unit: "", rank: 0 };
      if (running) {
        const text = "the guard started again without having stopped cleanly";
        found.push({ ...base, key: "pause unclean", text });
      } else if (stopped !== null) {
        const forMs = Date.parse(event.at) - Date.parse(stopped.at);
        const text = `nobody watched for ${formatDuration(forMs)} until ${syslogStamp(event.at)}: ${stopped.because}`;
        if (forMs >= QUIET_RESTART_MS) found.push({ ...base, key: `pause ${event.at}`, text });
      }
      running = true;
      stopped = null;
    }
  }
  return found;
}

// "61 new blocks in the last minute" and "64 new blocks in the last minute" are the same trouble.
function alike(text: string): string {
  return text.replace(/\d+/g, "#");
}

type Faults = Extract<Event, { type: "config.rejected" }>["faults"];

// A rule directory of the wrong kind has a fault on every line; the first few show which kind.
const MAX_FAULTS = 5;

function faultsText(faults: Faults): string {
  const shown = faults.slice(0, MAX_FAULTS).map((fault) => formatFault(fault).replace(/\n\s*/g, "; "));
  const more = faults.length - shown.length;
  return `${shown.join(" | ")}${more > 0 ? ` | ${counted(more, "more fault")}` : ""}`;
}

function faultsKey(faults: Faults): string {
  return faults
    .slice(0, MAX_FAULTS)
    .map((fault) => `${fault.file}:${fault.line}`)
    .join(" ");
}
