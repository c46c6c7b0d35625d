// One entry per attacker: what was seen, what was decided and what really happened to one source belong together,
// however far apart the events came in. Attackers choose how many sources there are, so the table has a cap.
import { formatPrefix, parseAddress, prefixOf } from "../core/address.ts";
import { formatDuration } from "../core/duration.ts";
import type { Event, EventBody, Scan } from "../core/events.ts";
import { showable } from "../core/hostile.ts";
import { attackAlerts, logLine, PORTS_PER_SCAN } from "./attackalert.ts";
import { counted, cut, grouped, span } from "./figures/render.ts";
import type { Entry, LeftOut } from "./types.ts";

// Sources told apart in one report. A forged flood shows a new source with every packet; the rest is counted.
export const MAX_SOURCES = 20_000;

// Decisions and actions kept per source: a block, its end and the next block, a few times over.
const MAX_ACTIONS = 12;

// A source with all its lines and notes takes about this many lines of a section.
const LINES_PER_SOURCE = 8;

// Of many attackers so many are told at length; the others with a line and a note, so that what else happened is not pages away.
const TOLD_WHOLE = 5;

type Action = Extract<Event, { type: "verdict.reached" | "block.applied" | "block.failed" | "block.lifted" }>;
type Detected = Extract<Event, { type: "scan.detected" }>;

type Case = {
  key: string;
  /** The widest scan seen: a source is reported again as it escalates, and the last report holds the earlier ones. */
  scan: Detected | null;
  scans: number;
  actions: Action[];
  unlisted: number;
  packetsStopped: number;
  firstAt: string;
  lastAt: string;
};

export type Attacks = { readonly entries: Entry[]; readonly leftOut: LeftOut; readonly abridged: boolean };

/** True for the events that stand under Active System Attack Alerts with a classic line. */
export function isAttack(event: Event): event is Detected | Action {
  switch (event.type) {
    case "scan.detected":
    case "block.applied":
    case "block.failed":
    case "block.lifted":
      return true;
    case "verdict.reached":
      return event.verdict.guardrail !== undefined || event.verdict.action !== "ignore";
    default:
      return false;
  }
}

/**
 * The attackers of a period, widest scan first.
 * @param maxLines room in the section; each source takes up to eight lines of it
 */
export function attackEntries(
  events: readonly Event[],
  host: string,
  pid: number | undefined,
  maxLines: number,
): Attacks {
  const { cases, spilt } = casesOf(events);
  const ordered = [...cases.values()].sort(
    (a, b) => weightOf(b) - weightOf(a) || (a.firstAt < b.firstAt ? -1 : a.firstAt > b.firstAt ? 1 : 0),
  );
  const room = Math.max(1, Math.floor(maxLines / LINES_PER_SOURCE));
  // With many sources, one port each leaves room to name more of them.
  const crowded = ordered.length > room;
  const kept = ordered.slice(0, crowded ? Math.max(1, Math.floor(maxLines / 4)) : room);
  const rest = ordered.slice(kept.length);
  const leftOut = {
    entries: rest.length,
    events: spilt + rest.reduce((sum, each) => sum + eventsIn(each), 0),
  };
  return {
    entries: kept.map((each, index) => {
      const inShort = index >= TOLD_WHOLE ? shortEntryOf(each, host, pid) : null;
      return inShort ?? entryOf(each, host, pid, crowded ? 1 : PORTS_PER_SCAN);
    }),
    leftOut,
    abridged:
      leftOut.events > 0 || kept.length > TOLD_WHOLE || kept.some((each) => isShortened(each, crowded)),
  };
}

function casesOf(events: readonly Event[]): { cases: Map<string, Case>; spilt: number } {
  const cases = new Map<string, Case>();
  // A block may cover a prefix of the source; the finding it answers leads back to the case.
  const byFinding = new Map<string, Case>();
  let spilt = 0;
  for (const event of events) {
    if (!isAttack(event)) continue;
    const known = cases.get(keyOf(event)) ?? linked(event, byFinding);
    // The end of a block from an earlier report is no attack of this one.
    if (known === undefined && event.type === "block.lifted") continue;
    if (known === undefined && cases.size >= MAX_SOURCES) {
      spilt++;
      continue;
    }
    const found = known ?? newCase(keyOf(event), event.at);
    if (known === undefined) cases.set(found.key, found);
    if (event.at < found.firstAt) found.firstAt = event.at;
    if (event.at > found.lastAt) found.lastAt = event.at;
    if (event.type === "scan.detected") {
      byFinding.set(event.id, found);
      found.scans++;
      if (found.scan === null || event.scan.distinct >= found.scan.scan.distinct) found.scan = event;
      continue;
    }
    if (event.type === "block.lifted") found.packetsStopped += event.packetsStopped;
    if (repeats(found.actions, event)) continue;
    if (found.actions.length < MAX_ACTIONS) found.actions.push(event);
    else found.unlisted++;
  }
  return { cases, spilt };
}

function newCase(key: string, at: string): Case {
  return {
    key,
    scan: null,
    scans: 0,
    actions: [],
    unlisted: 0,
    packetsStopped: 0,
    firstAt: at,
    lastAt: at,
  };
}

// An IPv6 attacker has a whole /64, scans from many of its addresses and is blocked as one: they are one case.
function keyOf(event: Detected | Action): string {
  const text = sourceOf(event);
  const address = text.includes(":") ? parseAddress(text) : null;
  return address === null ? text : formatPrefix(prefixOf(address, 64));
}

function sourceOf(event: Detected | Action): string {
  if (event.type === "scan.detected") return event.scan.source;
  return event.type === "verdict.reached" ? event.verdict.source : event.target;
}

function linked(event: Detected | Action, byFinding: Map<string, Case>): Case | undefined {
  return event.type === "block.applied" || event.type === "block.failed"
    ? byFinding.get(event.findingId)
    : undefined;
}

// In observe mode every escalation of one source reaches the same verdict again; once is enough to read.
function repeats(actions: readonly Action[], event: Action): boolean {
  if (event.type !== "verdict.reached") return false;
  return actions.some(
    (earlier) =>
      earlier.type === "verdict.reached" &&
      earlier.verdict.mode === event.verdict.mode &&
      earlier.verdict.action === event.verdict.action &&
      earlier.verdict.guardrail === event.verdict.guardrail,
  );
}

// A block that failed leaves the attacker inside: it goes before every width of scan.
function weightOf(each: Case): number {
  const failed = each.actions.some((action) => action.type === "block.failed") ? 1_000_000 : 0;
  return failed + (each.scan?.scan.distinct ?? 0);
}

function eventsIn(each: Case): number {
  return each.scans + each.actions.length + each.unlisted;
}

function isShortened(each: Case, crowded: boolean): boolean {
  const shownPorts = crowded ? 1 : PORTS_PER_SCAN;
  return each.unlisted > 0 || (each.scan !== null && each.scan.scan.probes.length > shownPorts);
}

function entryOf(each: Case, host: string, pid: number | undefined, maxPorts: number): Entry {
  const lines: string[] = [];
  const notes: string[] = [];
  if (each.scan !== null) {
    lines.push(...attackAlerts(each.scan, maxPorts).map((alert) => logLine(alert, host, pid)));
    notes.push(scanNote(each.scan.scan, each.scans));
  }
  for (const action of each.actions) {
    lines.push(...attackAlerts(action).map((alert) => logLine(alert, host, pid)));
    const note = actionNote(action, each.scan?.scan.reason);
    if (note !== null) notes.push(note);
  }
  if (each.packetsStopped > 0) notes.push(`${counted(each.packetsStopped, "packet")} stopped by the block`);
  if (each.unlisted > 0) notes.push(`${counted(each.unlisted, "more change")} of this block in the period`);
  return { lines, notes, count: eventsIn(each), firstAt: each.firstAt, lastAt: each.lastAt };
}

/** A scan and what came of it in a line and a note; null for what needs more words: a block that failed, one by hand. */
function shortEntryOf(each: Case, host: string, pid: number | undefined): Entry | null {
  if (each.scan === null || each.actions.some(({ type }) => type === "block.failed")) return null;
  const { scan } = each.scan;
  const what = `${widthOf(scan)}, ${span(scan.firstAt, scan.lastAt)}`;
  const stopped = each.packetsStopped > 0 ? `, ${counted(each.packetsStopped, "packet")} stopped` : "";
  return {
    lines: attackAlerts(each.scan, 1).map((alert) => logLine(alert, host, pid)),
    notes: [`${what}${outcomeOf(each.actions)}${stopped}`],
    count: eventsIn(each),
    firstAt: each.firstAt,
    lastAt: each.lastAt,
  };
}

// The last classic line but that a block ended, without what stands in front of each: "; has been blocked via nftables until ...".
function outcomeOf(actions: readonly Action[]): string {
  const alert = actions
    .filter(({ type }) => type !== "block.lifted")
    .flatMap((action) => attackAlerts(action))
    .at(-1);
  return alert === undefined ? "" : alert.text.replace(/^attackalert: Host \S+ /, "; ");
}

function scanNote(scan: Scan, times: number): string {
  const proven =
    scan.grade === "proven" ? "the source is proven by a handshake" : "the source address could be forged";
  const again = times > 1 ? `, reported ${grouped(times)} times as it grew` : "";
  const when = span(scan.firstAt, scan.lastAt);
  const hint = scan.hint === undefined ? "" : `; looks like ${showable(scan.hint)}, a hint and no proof`;
  return `${widthOf(scan)}, ${when}${again}; ${proven}${hint}; ${cut(showable(scan.reason), 300)}`;
}

function widthOf(scan: Scan): string {
  switch (scan.shape) {
    case "vertical":
      return `${counted(scan.distinct, "port")} of one address`;
    case "horizontal":
      return `one port of ${counted(scan.distinct, "address", "addresses")}`;
    case "tripwire":
      return `a tripwire port, ${counted(scan.distinct, "port")} in all`;
    case "flags":
      return `packets no honest program sends, to ${counted(scan.distinct, "port")}`;
    case "sweep":
      return `${counted(scan.distinct, "address", "addresses")} asked whether they are there`;
  }
}

// The scan's own reason stands in its note; a block for the same reason needs no second one.
function actionNote(action: EventBody, known: string | undefined): string | null {
  switch (action.type) {
    case "block.applied":
      if (action.because === known && action.throttled !== true) return null;
      return `${action.throttled === true ? "slowed down" : "blocked"} because ${cut(showable(action.because), 300)}`;
    case "block.failed":
      return `not blocked; mend: ${cut(showable(action.mend), 300)}`;
    case "verdict.reached":
      return action.verdict.forMs > 0 && action.verdict.mode === "observe"
        ? `telltale only observes: with blocking on, this would have lasted ${formatDuration(action.verdict.forMs)}`
        : null;
    default:
      return null;
  }
}
