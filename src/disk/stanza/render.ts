// Writes a stanza for a log that has none, fit to be pasted. Pure. Mode and owner are those found, so that whoever could read
// the log still can; the schedule follows its growth.
import type { Reopening } from "../reopen/decide.ts";

export type StanzaFacts = {
  readonly path: string;
  /** Permission bits of the log. */
  readonly mode: number;
  readonly user: string;
  readonly group: string;
  readonly bytesPerDay: number | null;
  /** `root`'s rotation refuses a directory that others may write to, unless it becomes its owner. */
  readonly su: { readonly user: string; readonly group: string } | null;
};

// At this growth a week's log is larger than an editor opens with ease.
const DAILY_BYTES = 50_000_000;
// And at this growth a day's.
const SIZED_BYTES = 1_000_000_000;

/** The stanza, ending in a newline; "" for a path that would need escapes. */
export function renderStanza(facts: StanzaFacts, reopening: Reopening): string {
  if (/["'\\*?[\]{}\p{C}]/u.test(facts.path) || !/^[\w.$-]*:[\w.$-]*$/.test(`${facts.user}:${facts.group}`)) {
    return "";
  }
  const growth = facts.bytesPerDay ?? 0;
  const lines = growth >= DAILY_BYTES ? ["daily", "rotate 7"] : ["weekly", "rotate 4"];
  if (growth >= SIZED_BYTES) lines.push("maxsize 1G");
  lines.push("compress", "missingok", "notifempty");
  if (facts.su !== null) lines.push(`su ${facts.su.user} ${facts.su.group}`);
  if (reopening.script === null) lines.push("copytruncate");
  else {
    lines.push("delaycompress", "sharedscripts");
    lines.push(`create ${facts.mode.toString(8).padStart(4, "0")} ${facts.user} ${facts.group}`);
    lines.push("postrotate", `    ${reopening.script}`, "endscript");
  }
  const path = /\s/.test(facts.path) ? `"${facts.path}"` : facts.path;
  return `${path} {\n${lines.map((line) => `    ${line}\n`).join("")}}\n`;
}
