// The block that `telltale guard` prints first: host, mode, and a line for what each part watches.
import { formatFault } from "../core/errors.ts";
import { showable } from "../core/hostile.ts";
import type { StatusRow } from "./lifecycle.ts";
import type { Settings } from "./settings.ts";
import { paint } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** The whole block, with a blank line behind it. */
export function statusBlock(settings: Settings, rows: readonly StatusRow[], colour: boolean): string {
  const mode =
    settings.mode === "block"
      ? "blocking: scanners are locked out"
      : `observing: nobody is blocked (${settings.modeBecause || "--block locks scanners out"})`;
  const width = Math.max(...rows.map((row) => row.part.length));
  const out = [`${paint("telltale", "bold", colour)} ${VERSION} on ${showable(settings.host)}, ${mode}`, ""];
  for (const { part, lines, off } of rows) {
    for (const [index, line] of lines.entries()) {
      const name = (index === 0 ? part : "").padEnd(width);
      out.push(
        `  ${paint(name, "bold", colour)}  ${paint(showable(line), off ? "yellow" : "dim", colour && (off || index > 0))}`,
      );
    }
  }
  const own = settings.faults.map(formatFault);
  if (own.length > 0) out.push("", ...own.map((fault) => paint(fault, "yellow", colour)));
  return `${out.join("\n")}\n\n`;
}
