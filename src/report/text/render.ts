// The report as an administrator reads it in a terminal or a plain mail program: logcheck's headings, whole log
// lines that can be searched for, telltale's own words indented below them.
import { bar } from "../../core/bars.ts";
import { counted, grouped, period } from "../figures/render.ts";

import type { Digest, Section, Slice, Totals } from "../types.ts";

// Narrower than this, wrapping shreds every word.
const MIN_WIDTH = 40;

/**
 * The whole report as plain text, ending in a newline.
 * @param options.width columns that telltale's own sentences are wrapped to; lines from logs are never wrapped
 */
export function renderText(digest: Digest, options: { width: number }): string {
  const width = Math.max(MIN_WIDTH, options.width);
  const out = [
    ...wrapped(`telltale on ${digest.host}, ${period(digest.from, digest.to)}`, width, ""),
    ...wrapped(summary(digest), width, ""),
  ];
  if (digest.preface !== "") out.push(...wrapped(digest.preface, width, ""));
  const spark = sparkline(digest.series);
  if (spark !== null) out.push(spark);
  if (digest.sections.length === 0) out.push("", "Nothing to report.");
  for (const section of digest.sections) out.push("", ...sectionText(section, width));
  return `${out.join("\n")}\n`;
}

/** One sentence with the figures that are not zero, and what the mode means for them. */
export function summary(digest: Digest): string {
  const { totals } = digest;
  const figures = figuresOf(totals);
  const mode =
    digest.mode === "block"
      ? "Mode: block."
      : 'Mode: observe, nothing is blocked. To block, start with --block or set mode = "block" under [respond].';
  const said = figures.length === 0 ? "all quiet" : figures.join(", ");
  return `${said.slice(0, 1).toUpperCase()}${said.slice(1)}. ${mode}`;
}

/** The figures that are not zero, most serious first. */
export function figuresOf(totals: Totals): string[] {
  const out: string[] = [];
  if (totals.scanSources > 0) out.push(`scans from ${counted(totals.scanSources, "source")}`);
  if (totals.blocked > 0) out.push(`${counted(totals.blocked, "host")} blocked`);
  if (totals.wouldBlock > 0) out.push(`${counted(totals.wouldBlock, "host")} would have been blocked`);
  if (totals.disksPressing > 0)
    out.push(
      `${counted(totals.disksPressing, "disk")} ${totals.disksPressing === 1 ? "needs" : "need"} room`,
    );
  if (totals.cracking > 0) out.push(counted(totals.cracking, "attack line"));
  if (totals.violations > 0) out.push(counted(totals.violations, "security violation"));
  if (totals.system > 0) out.push(counted(totals.system, "unusual line"));
  if (totals.rotationsFailed > 0) out.push(`${counted(totals.rotationsFailed, "rotation")} failed`);
  if (totals.rotated > 0) out.push(`${counted(totals.rotated, "log")} rotated`);
  if (totals.blindSpots > 0) out.push(counted(totals.blindSpots, "blind spot"));
  return out;
}

/** What is missing from a section, as a sentence; "" when nothing is. */
export function leftOutText(section: Section): string {
  const { entries, events } = section.leftOut;
  if (events === 0) return "";
  const where = entries === 0 ? "" : ` in ${counted(entries, "further entry", "further entries")}`;
  return `${counted(events, "more event")}${where}, not shown here`;
}

function sectionText(section: Section, width: number): string[] {
  const out = [section.title, underline(section.title)];
  for (const entry of section.entries) {
    out.push(...entry.lines);
    for (const note of entry.notes) out.push(...wrapped(note, width, "    "));
  }
  const rest = leftOutText(section);
  if (rest !== "") out.push(...wrapped(`(${rest})`, width, "    "));
  return out;
}

function underline(title: string): string {
  return "=-".repeat(Math.ceil(title.length / 2)).slice(0, title.length);
}

// Greedy, at blanks; a word longer than the line stays whole, because it is a path or an address.
function wrapped(text: string, width: number, outer: string): string[] {
  const lines: string[] = [];
  const own = text.trimStart();
  // A stanza to paste keeps its shape.
  const indent = outer + " ".repeat(text.length - own.length);
  let line = indent;
  for (const word of own.split(" ")) {
    if (line.length > indent.length && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  lines.push(line);
  return lines;
}

// Logarithmic: beside one scan of 65,535 ports, ten scans of four must still be seen.
function sparkline(series: readonly Slice[]): string | null {
  const top = Math.max(0, ...series.map((slice) => slice.probes));
  if (top === 0) return null;
  const bars = series.map(({ probes }) => (probes === 0 ? "." : bar(Math.log1p(probes) / Math.log1p(top))));
  return `probes ${bars.join("")} (peak ${grouped(top)})`;
}
