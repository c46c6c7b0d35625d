// The wording and shape of logcheck's report and of its mail's subject. Pure; the differential test holds it byte
// for byte against logcheck's own output.
import { GENERIC_SECTION } from "./classify.ts";

/** Encodes the fixed text of a report. */
const encoder = new TextEncoder();

/** The words of a section's heading: `Security Events`, or `Security Events for ssh`. */
export function sectionTitle(subject: string, name: string): string {
  return name === "" || name === GENERIC_SECTION ? subject : `${subject} for ${name}`;
}

/** A heading and the line under it, `=-=-…`, as long as the heading: in characters, or in bytes in the C locale. */
export function sectionHeading(title: string, locale: "C" | "C.UTF-8"): Uint8Array {
  const length = locale === "C" ? encoder.encode(title).length : [...title].length;
  return encoder.encode(`${title}\n${"=-".repeat(length).slice(0, length)}\n`);
}

/** The block that names logs that could not be read: between blank lines, one message a line. */
export function errorBlock(messages: readonly string[]): Uint8Array {
  return encoder.encode(messages.length === 0 ? "" : `\n${messages.join("\n")}\n\n`);
}

/** What stands above everything when the journal is read for the first time. */
export function firstJournalNotice(hours: number): Uint8Array {
  return encoder.encode(
    `This is the first time logcheck has checked the systemd journal.\n` +
      `Only recent entries (from the last ${hours} hours) will be checked\n` +
      `If you do not wish to check the systemd journal, please see /etc/logcheck/logcheck.logfiles.d/journal.logfiles\n`,
  );
}

/** The subject of the mail: `HOST DATE Security Events`, with the marks that were asked for. */
export function mailSubject(parts: {
  readonly host: string;
  readonly date: string;
  readonly subject: string;
  readonly reboot: boolean;
  readonly tag: boolean;
}): string {
  const reboot = parts.reboot ? "Reboot: " : "";
  const tag = parts.tag ? "[logcheck] " : "";
  return `${tag}${reboot}${parts.host} ${parts.date} ${parts.subject}`;
}
