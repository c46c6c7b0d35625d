// What a digest says of rotations: first those that failed, then each log that was rotated, once, however often it was. A log
// that is rotated by size comes a dozen times a day.
import type { Event } from "../core/events.ts";
import { mend, oneEntry } from "./entry.ts";
import { bytes, counted, span } from "./figures/render.ts";
import type { Entry } from "./types.ts";

// Different warnings of one log; they are told by the first of each.
const MAX_WARNINGS = 3;

type Rotated = Extract<Event, { type: "log.rotated" }>;

/** Failed rotations, the same failure folded into one, and done ones by their logs. */
export function rotationEntries(events: readonly Event[]): Entry[] {
  const failed: Entry[] = [];
  const done = new Map<string, Rotated[]>();
  for (const event of events) {
    if (event.type === "rotation.failed") {
      failed.push(oneEntry(event.at, `FAILED ${event.log}: ${event.why}`, [mend(event.mend)]));
    } else if (event.type === "log.rotated") {
      const known = done.get(event.log);
      if (known === undefined) done.set(event.log, [event]);
      else known.push(event);
    }
  }
  return [...same(failed), ...[...done.values()].map(doneEntry)];
}

function doneEntry(rotated: readonly Rotated[]): Entry {
  const [first, last] = [rotated[0]!, rotated.at(-1)!];
  const sum = (value: (event: Rotated) => number) => rotated.reduce((all, event) => all + value(event), 0);
  const times = rotated.length === 1 ? "" : ` in ${counted(rotated.length, "rotation")}`;
  const size = `${bytes(sum(({ sizeBytes }) => sizeBytes))}${times}`;
  const entry = oneEntry(last.at, `${last.log} -> ${last.to} (${size}): ${last.because}`, [
    risk(sum(({ bytesAtRisk = 0 }) => bytesAtRisk)),
    ...warningsOf(rotated),
  ]);
  return rotated.length === 1 ? entry : often({ ...entry, count: rotated.length, firstAt: first.at });
}

function warningsOf(rotated: readonly Rotated[]): string[] {
  const different = new Set(rotated.map(({ warning }) => warning ?? ""));
  different.delete("");
  return [...different].slice(0, MAX_WARNINGS).map((warning) => `warning: ${warning}`);
}

function risk(lostBytes: number): string {
  return lostBytes > 0 ? `copytruncate: up to ${bytes(lostBytes)} may have been lost` : "";
}

/** One entry for each text, with how often it came and when. */
function same(entries: readonly Entry[]): Entry[] {
  const byText = new Map<string, Entry>();
  for (const entry of entries) {
    const text = entry.lines[0]!.slice(16);
    const known = byText.get(text);
    byText.set(
      text,
      known === undefined ? entry : { ...known, count: known.count + 1, lastAt: entry.lastAt },
    );
  }
  return [...byText.values()].map((entry) => (entry.count === 1 ? entry : often(entry)));
}

function often(entry: Entry): Entry {
  const when = `${counted(entry.count, "time")}, ${span(entry.firstAt, entry.lastAt)}`;
  return { ...entry, notes: [...entry.notes, when] };
}
