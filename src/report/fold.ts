// A thousand lines that differ in a port, a process id or a time are one thing to say, a thousand times. Attackers
// choose the words of many lines, so every table here has a cap, and no line is lost: what does not fit is counted.
import { parseAddress } from "../core/address.ts";
import { showable } from "../core/hostile.ts";
import { grouped, head, span } from "./figures/render.ts";
import type { Entry, LeftOut } from "./types.ts";

/** A line as somebody wrote it, with the time it was seen. */
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
const TOKEN = /[^\s!-$&-,/;-@[-^`{-~]+/g;

// What a character is to a token, by code: nothing, a part, or a part that makes it worth a look. Above ASCII every
// character is a part; so are `%-.:_`, which stand inside addresses, names and numbers.
const NO_PART = 0;
const PART = 1;
const TELLING_PART = 2;
const CLASS = Uint8Array.from({ length: 128 }, (_, code) => {
  if ((code >= 48 && code <= 57) || code === 58) return TELLING_PART;
  return /[A-Za-z%._-]/.test(String.fromCharCode(code)) ? PART : NO_PART;
});

/**
 * What lines that say the same have in common: no time stamp, and every number is `#`. Addresses stay unless
 * `maskAddresses`. Linear in the length of the line, of which only the first 400 characters count.
 */
export function lineShape(line: string, maskAddresses: boolean): string {
  // One pass over the codes, without a callback for every word: this runs for each line of a flood.
  const body = withoutHeader(line);
  const end = Math.min(body.length, SHAPE_LENGTH);
  let out = "";
  let copied = 0;
  let start = -1;
  let telling = false;
  for (let at = 0; at <= end; at++) {
    const code = at < end ? body.charCodeAt(at) : 32;
    const kind = code < 128 ? CLASS[code]! : PART;
    if (kind !== NO_PART) {
      if (start < 0) start = at;
      if (kind === TELLING_PART) telling = true;
      continue;
    }
    if (telling) {
      out += body.slice(copied, start) + tokenShape(body.slice(start, at), maskAddresses);
      copied = at;
    }
    start = -1;
    telling = false;
  }
  return out + body.slice(copied, end);
}

function withoutHeader(line: string): string {
  const head = line.length > SHAPE_LENGTH + 40 ? line.slice(0, SHAPE_LENGTH + 40) : line;
  return head.slice(HEADER.exec(head)?.[0].length ?? 0);
}

// What merely counts or measures is masked; what names something stays: `web01` is not `web02`, `sda1` not `sda2`, and
// a user or an exit status of 0 is not like any other.
function tokenShape(token: string, maskAddresses: boolean): string {
  const bare = /[.:]$/.test(token) ? token.replace(/[.:]{1,9}$/, "") : token;
  // Of all tokens only those with two of these marks can be an address, and asking costs more than counting.
  if (/[.:][^.:]*[.:]/.test(bare) && parseAddress(bare) !== null) return maskAddresses ? "ADDRESS" : token;
  if (bare.length >= 8 && /^[0-9a-f-]+$/i.test(bare)) return "#";
  if (bare === "0") return token;
  const first = token.charCodeAt(0);
  return first >= 48 && first <= 57 ? token.replace(/\d+/g, "#") : token.replace(/\d{3,}/g, "#");
}

/** The program that wrote a line, as syslog tags it; "" when the line has no such tag. */
export function lineProgram(line: string): string {
  return TAG.exec(withoutHeader(line))?.[1] ?? "";
}

// As many different lines of one shape are shown as they are; folding starts above.
const MAX_SAMPLES = 3;

type Heap = {
  /** The first different lines, at most MAX_SAMPLES. */
  samples: string[];
  /** True when there were more different lines than samples. */
  more: boolean;
  last: string;
  count: number;
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
  const { heaps, spilt } = heapsOf(lines, max);
  const kept = fairShare(heaps, max);
  const shown = new Set(kept);
  const leftOut = {
    entries: heaps.length - kept.length,
    events: spilt + heaps.reduce((sum, each) => sum + (shown.has(each) ? 0 : each.count), 0),
  };
  return {
    entries: kept.map(entryOf),
    leftOut,
    abridged:
      leftOut.events > 0 ||
      kept.some((each) => each.more || each.samples.some((line) => line.length > MAX_LINE)),
  };
}

function heapsOf(lines: readonly FoundLine[], max: number): { heaps: Heap[]; spilt: number } {
  const fine = new Map<string, Heap>();
  const coarse = new Map<string, Heap>();
  let spilt = 0;
  const addCoarse = (one: Heap) => {
    const shape = lineShape(one.samples[0]!, true);
    const known = coarse.get(shape);
    if (known === undefined && coarse.size >= MAX_SHAPES) spilt += one.count;
    else if (known === undefined) coarse.set(shape, withAddresses(one));
    else merge(known, one);
  };
  for (const { at, line } of lines) {
    const shape = lineShape(line, false);
    const known = fine.get(shape);
    if (known !== undefined) {
      known.count++;
      keepSample(known, line);
      if (at < known.firstAt) known.firstAt = at;
      if (at >= known.lastAt) {
        known.lastAt = at;
        known.last = line;
      }
      continue;
    }
    const one: Heap = {
      samples: [line],
      more: false,
      last: line,
      count: 1,
      firstAt: at,
      lastAt: at,
      addresses: null,
    };
    if (fine.size < MAX_SHAPES) fine.set(shape, one);
    else addCoarse(one);
  }
  if (fine.size <= max && coarse.size === 0) return { heaps: [...fine.values()], spilt };
  for (const one of fine.values()) addCoarse(one);
  return { heaps: [...coarse.values()], spilt };
}

function keepSample(into: Heap, line: string): void {
  if (into.more || into.samples.includes(line)) return;
  if (into.samples.length < MAX_SAMPLES) into.samples.push(line);
  else into.more = true;
}

function withAddresses(one: Heap): Heap {
  const addresses = new Set<string>();
  rememberAddresses(one.samples[0]!, addresses);
  return { ...one, addresses };
}

function merge(into: Heap, one: Heap): void {
  into.count += one.count;
  if (one.firstAt < into.firstAt) {
    into.firstAt = one.firstAt;
    into.samples.unshift(one.samples[0]!);
    if (into.samples.length > MAX_SAMPLES) {
      into.samples.pop();
      into.more = true;
    }
  }
  for (const line of one.samples) keepSample(into, line);
  into.more = into.more || one.more;
  if (one.lastAt >= into.lastAt) {
    into.lastAt = one.lastAt;
    into.last = one.last;
  }
  if (into.addresses !== null) rememberAddresses(one.samples[0]!, into.addresses);
}

function rememberAddresses(line: string, into: Set<string>): void {
  for (const [token] of line.slice(0, SHAPE_LENGTH).matchAll(TOKEN)) {
    if (into.size >= MAX_ADDRESSES) return;
    if (!/[.:][^.:]*[.:]/.test(token)) continue;
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
    const program = lineProgram(each.samples[0]!);
    const queue = byProgram.get(program);
    if (queue === undefined) byProgram.set(program, [each]);
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
  const { samples, more, last, count } = each;
  const lines = more ? [samples[0]!, last] : samples;
  const notes: string[] = [];
  if (more || count > samples.length) {
    const what = more ? "lines like these" : samples.length === 1 ? "times this line" : "times one of these";
    notes.push(`${grouped(count)} ${what}${fromAddresses(each)}, ${span(each.firstAt, each.lastAt)}`);
  }
  return { lines: lines.map(shownLine), notes, count, firstAt: each.firstAt, lastAt: each.lastAt };
}

function fromAddresses({ addresses }: Heap): string {
  if (addresses === null || addresses.size < 2) return "";
  const least = addresses.size >= MAX_ADDRESSES ? "at least " : "";
  return ` from ${least}${grouped(addresses.size)} addresses`;
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
