// A thousand lines that differ in a port, a process id or a time are one thing to say, a thousand times. Attackers
// choose the words of many lines, so every table here has a cap, and no line is lost: what does not fit is counted.
import { parseAddress } from "../core/address.ts";
import { showable } from "../core/hostile.ts";
import { grouped, head, span } from "./figures/render.ts";
import type { Entry, LeftOut } from "./types.ts";

/** A line as somebody wrote it, with the time it was seen and the program that the fair share is counted by. */
export type FoundLine = { readonly at: string; readonly line: string };

export type Folding = {
  readonly entries: readonly Entry[];
  readonly leftOut: LeftOut;
  /** True when an entry stands for lines that are not shown as they were, or a line was shortened. */
  readonly abridged: boolean;
};

// Longer than any honest line but a stack trace, and below the 998 of RFC 5322 section 2.1.1 with room for a note.
export const MAX_LINE = 800;

// Distinct shapes kept while folding one section; each is a key of at most SHAPE_LENGTH characters, so about 10 MB
// in the worst case. A host with more shapes than this in one report is being flooded with invented words.
export const MAX_SHAPES = 20_000;
const SHAPE_LENGTH = 400;

// Distinct addresses remembered per folded entry, for the note "from N addresses".
const MAX_ADDRESSES = 1_000;

const HEADER =
  /^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?) +/;
const TAG = /^\S{1,255} +([\w./@-]{1,64})(?:\[\d{1,10}\])?:/;
const TOKEN = /[\p{L}\p{N}:.%_-]+/gu;

/**
 * What lines that say the same have in common: no time stamp, and every number is `#`. Addresses stay unless
 * `maskAddresses`. Linear in the length of the line, of which only the first 400 characters count.
 */
export function lineShape(line: string, maskAddresses: boolean): string {
  const body = line.slice(0, SHAPE_LENGTH + 40).replace(HEADER, "");
  return body.slice(0, SHAPE_LENGTH).replace(TOKEN, (token) => {
    if (!/[\d:]/.test(token)) return token;
    const bare = token.replace(/[.:]+$/, "");
    if (parseAddress(bare) !== null) return maskAddresses ? "ADDRESS" : token;
    if (/^[0-9a-f-]{8,}$/i.test(bare)) return "#";
    return token.replace(/\d+/g, "#");
  });
}

/** The program that wrote a line, as syslog tags it; "" when the line has no such tag. */
export function lineProgram(line: string): string {
  return TAG.exec(line.slice(0, 400).replace(HEADER, ""))?.[1] ?? "";
}

type Heap = {
  sample: string;
  program: string;
  count: number;
  exact: boolean;
  firstAt: string;
  lastAt: string;
  addresses: Set<string> | null;
};

/**
 * Folds lines that say the same. When more than `max` different ones remain, addresses are folded too; when still
 * more remain, every program keeps its fair share of the room, so that a flood in one log never pushes the single
 * line of another out of the report.
 */
export function foldLines(lines: readonly FoundLine[], max: number): Folding {
  let { heaps, spilt } = heap(lines, false);
  if (heaps.length > max) ({ heaps, spilt } = heap(lines, true));
  const kept = fairShare(heaps, max);
  const shown = new Set(kept);
  const leftOut = {
    entries: heaps.length - kept.length,
    events: spilt + heaps.reduce((sum, each) => sum + (shown.has(each) ? 0 : each.count), 0),
  };
  return {
    entries: kept.map(entryOf),
    leftOut,
    abridged: leftOut.events > 0 || kept.some((each) => !each.exact || each.sample.length > MAX_LINE),
  };
}

function heap(lines: readonly FoundLine[], maskAddresses: boolean): { heaps: Heap[]; spilt: number } {
  const byShape = new Map<string, Heap>();
  let spilt = 0;
  for (const { at, line } of lines) {
    const shape = lineShape(line, maskAddresses);
    let found = byShape.get(shape);
    if (found === undefined) {
      if (byShape.size >= MAX_SHAPES) {
        spilt++;
        continue;
      }
      found = {
        sample: line,
        program: lineProgram(line),
        count: 0,
        exact: true,
        firstAt: at,
        lastAt: at,
        addresses: maskAddresses ? new Set() : null,
      };
      byShape.set(shape, found);
    }
    found.count++;
    if (found.sample !== line) found.exact = false;
    if (at < found.firstAt) found.firstAt = at;
    if (at > found.lastAt) found.lastAt = at;
    if (found.addresses !== null) rememberAddresses(line, found.addresses);
  }
  return { heaps: [...byShape.values()], spilt };
}

function rememberAddresses(line: string, into: Set<string>): void {
  for (const [token] of line.slice(0, SHAPE_LENGTH).matchAll(TOKEN)) {
    if (into.size >= MAX_ADDRESSES) return;
    if (!/[\d:]/.test(token)) continue;
    const address = parseAddress(token.replace(/[.:]+$/, ""));
    if (address !== null) into.add(address);
  }
}

// Most frequent first, then oldest first. Room is dealt out in rounds, one heap to each program a round.
function fairShare(heaps: readonly Heap[], max: number): Heap[] {
  const ordered = [...heaps].sort(byWeight);
  if (ordered.length <= max) return ordered;
  const byProgram = new Map<string, Heap[]>();
  for (const each of ordered) {
    const queue = byProgram.get(each.program);
    if (queue === undefined) byProgram.set(each.program, [each]);
    else queue.push(each);
  }
  const kept: Heap[] = [];
  for (let round = 0; kept.length < max; round++) {
    for (const queue of byProgram.values()) {
      const next = queue[round];
      if (next !== undefined && kept.length < max) kept.push(next);
    }
  }
  return kept.sort(byWeight);
}

function byWeight(a: Heap, b: Heap): number {
  return b.count - a.count || (a.firstAt < b.firstAt ? -1 : a.firstAt > b.firstAt ? 1 : 0);
}

function entryOf(each: Heap): Entry {
  const notes: string[] = [];
  if (each.count > 1) {
    const alike = each.exact ? "this line" : "lines like this";
    const from =
      each.addresses === null || each.addresses.size < 2
        ? ""
        : ` from ${each.addresses.size >= MAX_ADDRESSES ? "at least " : ""}${grouped(each.addresses.size)} addresses`;
    notes.push(`${grouped(each.count)} times ${alike}${from}, ${span(each.firstAt, each.lastAt)}`);
  }
  return {
    lines: [shownLine(each.sample)],
    notes,
    count: each.count,
    firstAt: each.firstAt,
    lastAt: each.lastAt,
  };
}

/**
 * A stranger's line made fit to be shown: unsafe characters written out, cut at MAX_LINE, and never mistaken for a
 * note (which are indented) or the rule under a heading.
 */
export function shownLine(line: string): string {
  const text = showable(line.slice(0, MAX_LINE * 2)).trimStart();
  const whole = text.length <= MAX_LINE && line.length <= MAX_LINE * 2;
  const shown = whole ? text : `${head(text, MAX_LINE)}… (${grouped(line.length)} characters in all)`;
  return shown.startsWith("=-=") ? `\\x3d${shown.slice(1)}` : shown;
}
