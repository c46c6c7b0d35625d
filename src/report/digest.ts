// Decides what a report says. Pure: the period, the events and the blocks arrive as arguments, and what leaves is
// plain data in which every stranger's text is already fit to be shown, so that no later step can forget it.
import type { Event, Layer } from "../core/events.ts";
import { showable } from "../core/hostile.ts";
import { attackAlerts, logLine } from "./attackalert.ts";
import { attackEntries } from "./attacks.ts";
import { type BlindSpot, blindSpot, pauses } from "./blindspots.ts";
import { diskEntries, isDiskNews, mishandledEntries, uncoveredEntries } from "./disks.ts";
import { mend, oneEntry, shown } from "./entry.ts";
import { counted, span, syslogStamp } from "./figures/render.ts";
import { type FoundLine, foldLines } from "./fold.ts";
import { rotationEntries } from "./rotations.ts";
import { seriesOf, totalsOf } from "./tally.ts";
import type { Digest, DigestInput, Entry, LeftOut, Section, SectionKey } from "./types.ts";

// Seven sections of a hundred lines are the most that somebody reads; the rest is counted and attached.
const DEFAULT_MAX_LINES = 100;

// Of a pattern of many sources, so many ports as an example.
const SPREAD_PORTS = 12;

const TITLES: Record<SectionKey, string> = {
  attacks: "Active System Attack Alerts",
  violations: "Security Violations",
  system: "Unusual System Events",
  rotations: "Rotations",
  disk: "Disk outlook",
  blocks: "Blocks in force",
  uncovered: "Logs that no rotation covers",
  blind: "Blind spots",
};

type Content = { entries: readonly Entry[]; leftOut: LeftOut; abridged: boolean };

/** Makes the report of a period from its events. Events outside of the period are taken as they come. */
export function digest(input: DigestInput): Digest {
  const max = Math.max(1, input.maxLinesPerSection ?? DEFAULT_MAX_LINES);
  const { events } = input;
  const content: Record<SectionKey, Content> = {
    attacks: attacksContent(input, max),
    violations: foldLines(linesOf(events, "violations"), max),
    system: foldLines(linesOf(events, "system"), max),
    rotations: capped(rotationEntries(events), max),
    disk: capped(diskEntries(input), max),
    blocks: blocksContent(input, max),
    uncovered: capped([...uncoveredEntries(events), ...mishandledEntries(events)], max),
    blind: capped(blindEntries(events), max),
  };
  const sections: Section[] = [];
  for (const [key, { entries, leftOut }] of Object.entries(content) as [SectionKey, Content][]) {
    if (entries.length > 0) sections.push({ key, title: TITLES[key], entries, leftOut });
  }
  return {
    host: showable(input.host),
    from: input.from.toISOString(),
    to: input.to.toISOString(),
    mode: input.mode,
    totals: {
      ...totalsOf(events, content.blind.entries.length + content.blind.leftOut.entries),
      disksPressing: (input.disks ?? []).filter(({ pressing }) => pressing).length,
    },
    preface: shown(input.preface ?? ""),
    sections,
    series: seriesOf(events, input.from, input.to),
    news: hasNews(input, sections),
    abridged: Object.values(content).some((each) => each.abridged),
  };
}

/** True when there is nothing to say. What merely still holds is no news. */
export function empty(made: Digest): boolean {
  return !made.news;
}

function hasNews({ events, disks = [] }: DigestInput, sections: readonly Section[]): boolean {
  if (disks.some(({ pressing }) => pressing)) return true;
  return sections.some(({ key }) => {
    if (key === "blocks") return false;
    if (key === "disk") return events.some(isDiskNews);
    // That rotation works is told with the next news; that it does not is news.
    return key !== "rotations" || events.some(({ type }) => type === "rotation.failed");
  });
}

function attacksContent(input: DigestInput, max: number): Content {
  const attacks = attackEntries(input.events, input.host, input.pid, max);
  const cracking = foldLines(linesOf(input.events, "cracking"), max);
  return {
    entries: [...distributedEntries(input), ...attacks.entries, ...cracking.entries],
    leftOut: {
      entries: attacks.leftOut.entries + cracking.leftOut.entries,
      events: attacks.leftOut.events + cracking.leftOut.events,
    },
    abridged: attacks.abridged || cracking.abridged,
  };
}

/** The widest pattern of many sources; it is told again as it grows. */
function distributedEntries({ events, host, pid }: DigestInput): Entry[] {
  const found = events.filter((event) => event.type === "scan.distributed");
  const [first] = found;
  if (first === undefined) return [];
  const widest = found.reduce((a, b) => (b.scan.ports > a.scan.ports ? b : a));
  const { scan } = widest;
  const again = found.length > 1 ? `, reported ${found.length} times as it grew` : "";
  const ports = [...new Set(scan.probes.map(({ port }) => port))].slice(0, SPREAD_PORTS);
  const notes = [
    `${shown(scan.reason)}, ${span(scan.firstAt, scan.lastAt)}${again}`,
    "a pattern, held against no single source: their addresses could be forged",
    ...(scan.hint === undefined ? [] : [shown(`looks like ${scan.hint}, a hint and no proof`)]),
    ...(ports.length === 0 ? [] : [`ports among them: ${ports.join(", ")}`]),
  ];
  const lines = attackAlerts(widest).map((alert) => logLine(alert, host, pid));
  return [{ lines, notes, count: found.length, firstAt: first.at, lastAt: found.at(-1)!.at }];
}

function linesOf(events: readonly Event[], layer: Layer): FoundLine[] {
  const lines: FoundLine[] = [];
  for (const event of events) {
    if (event.type === "line.found" && event.layer === layer) lines.push({ at: event.at, line: event.line });
  }
  return lines;
}

function blocksContent({ blocksInForce, events }: DigestInput, max: number): Content {
  const ordered = [...blocksInForce].sort((a, b) => b.packetsStopped - a.packetsStopped);
  const rest = Math.max(0, ordered.length - max);
  const entries = ordered.slice(0, max).map((block) => {
    const until = block.until === null ? "until lifted" : `until ${syslogStamp(block.until)}`;
    const since = new Date(block.since);
    const at = Number.isNaN(since.getTime()) ? "" : since.toISOString();
    const text = `${block.target} since ${syslogStamp(block.since)} ${until}, ${counted(block.packetsStopped, "packet")} stopped: ${block.because}`;
    return { lines: [shown(text)], notes: [], count: 1, firstAt: at, lastAt: at };
  });
  // The attached text tells of events; blocks that stand from before are listed by `telltale blocks`.
  return {
    entries: [...entries, ...endedBlocks(events)],
    leftOut: { entries: rest, events: rest },
    abridged: false,
  };
}

function endedBlocks(events: readonly Event[]): Entry[] {
  const ended = events.filter((event) => event.type === "block.lifted");
  const [first, last] = [ended[0], ended.at(-1)];
  if (first === undefined || last === undefined) return [];
  const stopped = ended.reduce((sum, { packetsStopped }) => sum + packetsStopped, 0);
  const text = `${counted(ended.length, "block")} ended in this period, ${counted(stopped, "packet")} stopped by them`;
  return [{ lines: [text], notes: [], count: ended.length, firstAt: first.at, lastAt: last.at }];
}

function blindEntries(events: readonly Event[]): Entry[] {
  const byKey = new Map<string, { spot: BlindSpot; count: number; amount: number; lastAt: string }>();
  const add = (spot: BlindSpot) => {
    const known = byKey.get(spot.key);
    if (known === undefined) byKey.set(spot.key, { spot, count: 1, amount: spot.amount, lastAt: spot.at });
    else {
      known.count++;
      known.amount += spot.amount;
      known.lastAt = spot.at;
    }
  };
  pauses(events).forEach(add);
  for (const event of events) {
    const spot = blindSpot(event);
    if (spot !== null) add(spot);
  }
  // Recovery alone is no blind spot; it belongs to a failure of the same report.
  const found = [...byKey.values()];
  if (found.every(({ spot }) => spot.key.startsWith("recovered "))) return [];
  return found
    .sort((a, b) => a.spot.rank - b.spot.rank || b.amount - a.amount || b.count - a.count)
    .map(({ spot, count, amount, lastAt }) => {
      const text = amount > 0 ? `${counted(amount, spot.unit)}: ${spot.text}` : spot.text;
      const notes = [mend(spot.mend)];
      if (count > 1) notes.push(`${counted(count, "time")}, ${span(spot.at, lastAt)}`);
      return { ...oneEntry(spot.at, text, notes), count, lastAt };
    });
}

// The same failure at every run of a schedule is one thing to mend.
function capped(entries: readonly Entry[], max: number): Content {
  const rest = entries.slice(max);
  const events = rest.reduce((sum, entry) => sum + entry.count, 0);
  return {
    entries: entries.slice(0, max),
    leftOut: { entries: rest.length, events },
    abridged: rest.length > 0,
  };
}
