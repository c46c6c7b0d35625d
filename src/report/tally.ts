// How much of what happened in a period, and when: the figures of the summary and the columns of the chart.
import type { Event } from "../core/events.ts";
import type { Slice, Totals } from "./types.ts";

// As many columns as the chart has; a day in half hours.
export const SLICES = 48;

/** The figures of a period; `blindSpots` is how many different ones were found. */
export function totalsOf(events: readonly Event[], blindSpots: number): Omit<Totals, "disksPressing"> {
  const sources = new Set<string>();
  const blocked = new Set<string>();
  const wouldBlock = new Set<string>();
  const count = { scans: 0, cracking: 0, violations: 0, system: 0, rotated: 0, rotationsFailed: 0 };
  for (const event of events) {
    if (event.type === "scan.detected") {
      count.scans++;
      sources.add(event.scan.source);
    } else if (event.type === "block.applied") blocked.add(event.target);
    else if (event.type === "verdict.reached" && isDeniedBlock(event)) wouldBlock.add(event.verdict.target);
    else if (event.type === "line.found") count[event.layer]++;
    else if (event.type === "log.rotated") count.rotated++;
    else if (event.type === "rotation.failed") count.rotationsFailed++;
  }
  return {
    ...count,
    scanSources: sources.size,
    blocked: blocked.size,
    wouldBlock: wouldBlock.size,
    blindSpots,
  };
}

// In observe mode what would have been a block stands where the blocks stand, so that the chart shows the difference
// blocking would make.
function isDeniedBlock(event: Extract<Event, { type: "verdict.reached" }>): boolean {
  const { mode, action, guardrail } = event.verdict;
  return mode === "observe" && (action === "block" || action === "throttle") && guardrail === undefined;
}

/** Probes and blocks in equal slices of the period, oldest first. */
export function seriesOf(events: readonly Event[], from: Date, to: Date): Slice[] {
  const start = from.getTime();
  const sliceMs = Math.max(1, to.getTime() - start) / SLICES;
  const slices = Array.from({ length: SLICES }, (_, index) => ({
    at: new Date(start + index * sliceMs).toISOString(),
    probes: 0,
    blocks: 0,
  }));
  const at = (iso: string) => {
    const index = Math.floor((Date.parse(iso) - start) / sliceMs) || 0;
    return slices[Math.min(SLICES - 1, Math.max(0, index))]!;
  };
  const widest = new Map<string, { distinct: number; at: string }>();
  for (const event of events) {
    if (event.type === "block.applied") at(event.at).blocks++;
    else if (event.type === "verdict.reached" && isDeniedBlock(event)) at(event.at).blocks++;
    else if (event.type === "scan.detected") {
      // A source reported again counts only what is new since its last report.
      const before = widest.get(event.scan.source)?.distinct ?? 0;
      at(event.at).probes += Math.max(0, event.scan.distinct - before);
      widest.set(event.scan.source, { distinct: Math.max(before, event.scan.distinct), at: event.at });
    }
  }
  return slices;
}
