// Who is locked out, why and until when; from the history, with packet counts from the firewall when we may ask it.
import { once } from "node:events";
import { formatDuration } from "../../core/duration.ts";
import { DEFAULT_LIMITS } from "../../respond/limits.ts";
import type { CommandCall } from "../catalogue.ts";
import { heldHere, withPacketCounts } from "../firewall.ts";
import { openHistory } from "../history.ts";
import { gatherSettings } from "../settings.ts";
import { table } from "../terminal.ts";

const LINES_PER_WRITE = 1_000;
const COUNT = new Intl.NumberFormat("en");

export async function run({ values }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  using store = openHistory(settings);
  const now = new Date();
  const since = now.getTime() - DEFAULT_LIMITS.forgetMs;
  const blocks = (await withPacketCounts(store?.blocks.inForce(now) ?? [], () => heldHere(settings))).map(
    (block) => ({
      ...block,
      // The one in force is one of them.
      timesBefore: Math.max(0, (store?.blocks.times(block.target, since) ?? 0) - 1),
    }),
  );
  if (values["json"] === true) {
    for (let at = 0; at < blocks.length; at += LINES_PER_WRITE) {
      const lines = blocks.slice(at, at + LINES_PER_WRITE).map((block) => `${JSON.stringify(block)}\n`);
      // Whoever reads may be slower: what they have not read yet is not kept here.
      if (!process.stdout.write(lines.join(""))) await once(process.stdout, "drain");
    }
    return 0;
  }
  if (blocks.length === 0) {
    process.stdout.write("Nobody is blocked.\n");
    return 0;
  }
  const rows = blocks.map((block) => [
    block.target,
    local(block.since),
    local(block.until),
    formatDuration(Date.parse(block.until) - now.getTime()),
    COUNT.format(block.packetsStopped),
    block.grade,
    String(block.timesBefore),
    block.throttled === true ? `slowed down: ${block.because}` : block.because,
  ]);
  process.stdout.write(
    table(["ADDRESS", "SINCE", "UNTIL", "LEFT", "STOPPED", "EVIDENCE", "BEFORE", "WHY"], rows),
  );
  return 0;
}

// By hand: asking for the place's own form takes longer than everything else of a row.
function local(iso: string): string {
  const at = new Date(iso);
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
