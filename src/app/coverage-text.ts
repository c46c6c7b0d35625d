// What a look at the coverage of logs found, for a person and for a program.
import { showable } from "../core/hostile.ts";
import type { CoverageReport, Mishandled, UncoveredLog } from "../disk/types.ts";
import { formatBytes, table } from "./terminal.ts";

const HEADINGS: readonly (readonly [Mishandled["how"], string])[] = [
  ["deleted-open", "Deleted, still open, still on the disk"],
  ["never-reopened", "Rotated, but its writer never let go"],
  ["covered-twice", "Named by several stanzas"],
  ["matches-nothing", "Stanzas that match nothing"],
];
// Stanzas are shown for so many; --json has them all.
const MAX_STANZAS = 20;

/** One JSON value a line: the uncovered logs, then what is mishandled, then the journals. */
export function coverageLines({ uncovered, mishandled, journals }: CoverageReport): string {
  return [
    ...uncovered.map((log) => ({ kind: "uncovered", ...log })),
    ...mishandled.map((each) => ({ kind: "mishandled", ...each })),
    ...journals.map((journal) => ({ kind: "journal", ...journal })),
  ]
    .map((each) => `${JSON.stringify(each)}\n`)
    .join("");
}

/** The whole report for a terminal. */
export function renderCoverage(report: CoverageReport): string {
  const { uncovered, mishandled, journals } = report;
  const parts = [uncoveredText(uncovered)];
  for (const [how, heading] of HEADINGS) {
    const of = mishandled.filter((each) => each.how === how);
    if (of.length > 0) parts.push(`${heading}\n${of.map(mishandledText).join("")}`);
  }
  for (const { directory, usedBytes, limitBytes, limitFrom } of journals) {
    parts.push(
      `The journal in ${showable(directory)} takes ${formatBytes(usedBytes)}; journald keeps it below ${formatBytes(limitBytes)} (${limitFrom}).\n`,
    );
  }
  if (report.cut) parts.push("There were more files than are looked at; others may be uncovered too.\n");
  return parts.join("\n");
}

function uncoveredText(uncovered: readonly UncoveredLog[]): string {
  if (uncovered.length === 0) return "Every log is covered by some rotation.\n";
  const rows = uncovered.map((log) => [
    log.path,
    formatBytes(log.sizeBytes),
    growthText(log),
    log.writer === "" ? "-" : log.writer,
    log.package === "" ? "-" : log.package,
  ]);
  const stanzas = uncovered.filter(({ stanza }) => stanza !== "").slice(0, MAX_STANZAS);
  const more = uncovered.length - stanzas.length;
  const shown = stanzas.map(({ stanza, stanzaBecause }) => `# ${showable(stanzaBecause)}\n${stanza}`);
  const rest = more > 0 ? `(${more} more: telltale rotate --uncovered --json has the stanzas of all)\n` : "";
  return `${table(["LOG", "SIZE", "PER DAY", "WRITTEN BY", "PACKAGE"], rows)}\nTo have them rotated, put into a file in /etc/logrotate.d:\n\n${shown.join("\n")}${rest}`;
}

function growthText({ bytesPerDay, growthFrom }: UncoveredLog): string {
  if (bytesPerDay === null) return "?";
  return `${growthFrom === "age" ? "~" : ""}${formatBytes(bytesPerDay)}`;
}

function mishandledText({ path, sizeBytes, why, mend }: Mishandled): string {
  const size = sizeBytes > 0 ? ` (${formatBytes(sizeBytes)})` : "";
  return `${showable(path)}${size}: ${showable(why)}\n    mend: ${showable(mend)}\n`;
}
