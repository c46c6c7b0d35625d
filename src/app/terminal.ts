// What a person sees: colours on a terminal only, NO_COLOR respected, columns aligned.
import { showable } from "../core/hostile.ts";

/** Whether to colour what goes to this stream (no-color.org). */
export function wantsColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
}

/** Columns of the stream's terminal; null where it is none, and nothing needs to be cut. */
export function columnsOf(stream: NodeJS.WriteStream): number | null {
  return stream.isTTY === true && stream.columns > 20 ? stream.columns : null;
}

/** Columns of the stream's terminal, or a width that fits a mail. */
export function widthOf(stream: NodeJS.WriteStream): number {
  return columnsOf(stream) ?? 100;
}

/** The text in bold, red and so on when `colour`; the styles are ECMA-48 "select graphic rendition" numbers. */
export function paint(
  text: string,
  style: "bold" | "dim" | "red" | "yellow" | "green",
  colour: boolean,
): string {
  const code = { bold: 1, dim: 2, red: 31, yellow: 33, green: 32 }[style];
  return colour ? `\u001b[${code}m${text}\u001b[0m` : text;
}

/** Rows as aligned columns, two blanks apart; hostile text is made showable. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map(showable));
  // Not spread into one call: a hundred thousand blocks are more arguments than the stack takes.
  const widths = head.map((_, column) =>
    all.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0),
  );
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** `1.4 GB`: decimal units, as disks are sold and `df -H` counts. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1_000) return `${unit === "B" ? value : value.toFixed(1)} ${unit}`;
    value /= 1_000;
  }
  return `${value.toFixed(1)} TB`;
}

/** `14:05:00` today, with the date otherwise; local time. */
export function shortTime(at: Date, now: Date): string {
  // By hand: Date's own texts end with the name of the time zone, which takes milliseconds to find.
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(":");
  const isToday =
    at.getDate() === now.getDate() &&
    at.getMonth() === now.getMonth() &&
    at.getFullYear() === now.getFullYear();
  if (isToday) return time;
  return `${at.getFullYear()}-${[at.getMonth() + 1, at.getDate()].map(twoDigits).join("-")} ${time.slice(0, 5)}`;
}

function twoDigits(n: number): string {
  return String(n).padStart(2, "0");
}
