// Who is locked out, why and until when; from the history, with packet counts from the firewall when we may ask it.
import { formatDuration } from "../../core/duration.ts";
import { DEFAULT_LIMITS } from "../../respond/limits.ts";
import type { CommandCall } from "../catalogue.ts";
import { heldHere, withPacketCounts } from "../firewall.ts";
import { openHistory } from "../history.ts";
import { gatherSettings } from "../settings.ts";
import { table } from "../terminal.ts";

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
    for (const block of blocks) process.stdout.write(`${JSON.stringify(block)}\n`);
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
    block.packetsStopped.toLocaleString("en"),
    block.grade,
    String(block.timesBefore),
    block.throttled === true ? `slowed down: ${block.because}` : block.because,
  ]);
  process.stdout.write(
    table(["ADDRESS", "SINCE", "UNTIL", "LEFT", "STOPPED", "EVIDENCE", "BEFORE", "WHY"], rows),
  );
  return 0;
}

function local(iso: string): string {
  const at = new Date(iso);
  return `${at.toLocaleDateString("sv-SE")} ${at.toTimeString().slice(0, 8)}`;
}
