// Rotation by schedule and by size, and which of the logs that no rotation covers are news.
import type { UncoveredLog } from "../../rotate/run.ts";
import { keepMark } from "../marks.ts";
import type { PartContext, PartDefinition } from "../part.ts";

// A smaller log is no danger to a disk; it is named once it has grown to this. `rotate --uncovered` lists them all.
const UNCOVERED_TOLD_BYTES = 8_192;
const MARK = "uncovered";

export const rotatePart: PartDefinition = {
  name: "rotate",
  stillRuns: "everything else; logs grow meanwhile",
  async start({ settings, bus, store, powers }: PartContext) {
    if (!settings.config.rotate.enabled) return { off: "rotate.enabled = false" };
    const told = new Set(JSON.parse(store.marks.get(MARK) ?? "[]") as string[]);
    let stored = "";
    const uncovered = (found: readonly UncoveredLog[]): void => {
      for (const { path, sizeBytes, writer } of found) {
        if (told.has(path) || sizeBytes < UNCOVERED_TOLD_BYTES) continue;
        told.add(path);
        bus.emit({ type: "log.uncovered", path, sizeBytes, writer, mend: stanzaFor(path) });
      }
      const still = found.map(({ path }) => path).filter((path) => told.has(path));
      for (const path of told) if (!still.includes(path)) told.delete(path);
      if (still.join("\0") === stored) return;
      stored = still.join("\0");
      keepMark(store, MARK, JSON.stringify(still));
    };
    return await powers.rotation(settings, { event: bus.forward, emit: bus.emit, uncovered });
  },
};

/** A stanza to paste; only for names that need no escapes in it. */
function stanzaFor(path: string): string {
  if (/["\\*?[\]{}\p{C}]/u.test(path)) return "add a stanza for it to /etc/logrotate.d";
  const directives = ["weekly", "rotate 4", "compress", "missingok", "notifempty", "copytruncate"];
  const body = directives.map((directive) => `    ${directive}\n`).join("");
  return `put this into a file in /etc/logrotate.d:\n"${path}" {\n${body}}`;
}
