// What a digest says of disks and of logs that nobody keeps in bounds. Log disks fill at night, and a report in the evening is
// the last moment at which somebody can still do something about it calmly.
import { bars } from "../core/bars.ts";
import { formatDuration } from "../core/duration.ts";
import type { Event } from "../core/events.ts";
import { showable } from "../core/hostile.ts";
import { mend, oneEntry, shown } from "./entry.ts";
import { bytes, counted, grouped } from "./figures/render.ts";
import type { DigestInput, DiskOutlook, Entry, GrowingLog } from "./types.ts";

// Room for a logrotate stanza with its script.
const MAX_MEND_LINES = 20;
const DAY_MS = 86_400_000;
// Farther away than this, a date is a guess.
const FAR_MS = 730 * DAY_MS;

/** Whether something of a disk happened that is worth a report. What a retention group removes is routine. */
export function isDiskNews({ type }: Event): boolean {
  return type === "log.surged" || type === "disk.pressed" || type === "disk.filling";
}

/** Alarms and deletions first, then each file system, then the logs that grow most. */
export function diskEntries({ disks = [], growing = [], events, to }: DigestInput): Entry[] {
  const at = to.toISOString();
  return [
    ...happened(events),
    ...[...disks]
      .sort((a, b) => Number(b.worry !== null) - Number(a.worry !== null))
      .map((disk) => diskEntry(disk, at)),
    ...(growing.length === 0 ? [] : [growingEntry(growing, at)]),
  ];
}

function happened(events: readonly Event[]): Entry[] {
  const alarms: Entry[] = [];
  const surges: Entry[] = [];
  const done: Entry[] = [];
  for (const event of events) {
    if (event.type === "disk.filling") {
      alarms.push(oneEntry(event.at, `FILLING ${event.mount}: ${event.why}`, [mend(event.mend)]));
    } else if (event.type === "disk.pressed") {
      alarms.push(oneEntry(event.at, `PRESSED ${event.mount}: ${event.why}`, [event.stages]));
    } else if (event.type === "log.surged") {
      const times = grouped(Math.round(event.bytesPerDay / Math.max(1, event.usualBytesPerDay)));
      const text = `SURGE ${event.path} grows by ${bytes(event.bytesPerDay)} a day, ${times} times its habit`;
      const kinds = event.templates.map((each) => `${counted(each.count, "line")} like: ${each.text}`);
      surges.push(oneEntry(event.at, text, kinds));
    } else if (event.type === "log.pruned") {
      const text = `REMOVED ${event.path} (${bytes(event.sizeBytes)}): ${event.because}`;
      done.push(oneEntry(event.at, text, []));
    } else if (event.type === "log.compressed") {
      const text = `COMPRESSED ${event.path} (${bytes(event.sizeBytes)} to ${bytes(event.toBytes)}): ${event.because}`;
      done.push(oneEntry(event.at, text, []));
    } else if (event.type === "disk.relieved") {
      const text = `RELIEVED ${event.mount}: ${bytes(event.bytesFreed)} freed, ${bytes(event.freeBytes)} free`;
      done.push(oneEntry(event.at, text, [event.why]));
    }
  }
  return [...alarms, ...surges, ...done];
}

function diskEntry(disk: DiskOutlook, at: string): Entry {
  const { mount, freeBytes, sizeBytes, worry } = disk;
  const room = `${bytes(freeBytes)} of ${bytes(sizeBytes)} free (${share(freeBytes, sizeBytes)})`;
  const notes: string[] = [];
  if (worry === "files") notes.push(`only ${share(disk.freeFiles, disk.sizeFiles)} of its inodes are free`);
  const growth = growthText(disk);
  if (growth !== "") notes.push(growth);
  if (disk.history.length > 2) notes.push(`used over the last days ${bars(disk.history)}`);
  return oneEntry(at, `${worry === null ? "" : "DISK "}${mount}: ${room}`, notes);
}

function growthText({ bytesPerDay, fullInMs, fullEarliestMs, fullLatestMs }: DiskOutlook): string {
  if (bytesPerDay === null) return "";
  if (fullInMs === null || fullInMs > FAR_MS) return "not growing so that it would matter";
  const latest = fullLatestMs === null || fullLatestMs > FAR_MS ? "never" : inWords(fullLatestMs);
  const range = fullEarliestMs === null ? "" : ` (between ${inWords(fullEarliestMs)} and ${latest})`;
  return `grows by ${bytes(bytesPerDay)} a day; if it goes on growing like this, it is full in ${inWords(fullInMs)}${range}`;
}

// Days are enough for what is days away.
function inWords(ms: number): string {
  return formatDuration(ms > 2 * DAY_MS ? Math.round(ms / DAY_MS) * DAY_MS : ms);
}

function growingEntry(growing: readonly GrowingLog[], at: string): Entry {
  const lines = growing.map(
    ({ path, bytesPerDay, sizeBytes }) =>
      `    ${bytes(bytesPerDay).padStart(8)} a day  ${shown(path)} (${bytes(sizeBytes)} now)`,
  );
  return { lines: ["Logs that grow most:", ...lines], notes: [], count: 1, firstAt: at, lastAt: at };
}

function share(part: number, whole: number): string {
  return `${whole === 0 ? 0 : Math.floor((100 * part) / whole)} %`;
}

/** Logs that some rotation names, and that are not kept in bounds all the same; the last word on each. */
export function mishandledEntries(events: readonly Event[]): Entry[] {
  const latest = new Map<string, Entry>();
  for (const event of events) {
    if (event.type !== "log.mishandled") continue;
    const size = event.sizeBytes > 0 ? ` (${bytes(event.sizeBytes)})` : "";
    const entry = oneEntry(event.at, `${event.path}${size}: ${event.why}`, [mend(event.mend)]);
    latest.set(`${event.how} ${event.path}`, { ...entry, lines: [entry.lines[0]!.slice(16)] });
  }
  return [...latest.values()];
}

/** Logs that no rotation names, the largest first. */
export function uncoveredEntries(events: readonly Event[]): Entry[] {
  const latest = new Map<string, { event: Extract<Event, { type: "log.uncovered" }>; count: number }>();
  for (const event of events) {
    if (event.type !== "log.uncovered") continue;
    latest.set(event.path, { event, count: (latest.get(event.path)?.count ?? 0) + 1 });
  }
  return [...latest.values()]
    .sort((a, b) => b.event.sizeBytes - a.event.sizeBytes)
    .map(({ event, count }) => {
      const writer = event.writer === "" ? "" : `, written by ${event.writer}`;
      const origin = event.package === undefined ? "" : ` of the package ${event.package}`;
      const growth = event.bytesPerDay === undefined ? "" : `, grows by ${bytes(event.bytesPerDay)} a day`;
      const lines = [shown(`${event.path} (${bytes(event.sizeBytes)}${growth})${writer}${origin}`)];
      return { lines, notes: mendNotes(event), count, firstAt: event.at, lastAt: event.at };
    });
}

// A ready stanza may take several lines. A path with a line break in it gets none: it would write notes of its own.
function mendNotes(event: Extract<Event, { type: "log.uncovered" }>): string[] {
  if (event.mend === "") return [];
  const split = showable(event.path) === event.path && showable(event.writer) === event.writer;
  const lines = split ? event.mend.split("\n") : [event.mend];
  const notes = lines.slice(0, MAX_MEND_LINES).map((line, index) => shown(index === 0 ? mend(line) : line));
  const rest = lines.length - notes.length;
  return rest === 0 ? notes : [...notes, `(${counted(rest, "more line")})`];
}
