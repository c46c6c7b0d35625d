// telltale at the door: its guard with nothing but sentry and respond, blocking, as its package runs it: what reads packets
// is a process of its own without any rights.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startGuard } from "../../../tests/system/guard-process.ts";
import { withListener } from "../../../tests/system/split.ts";
import { missing } from "../../machine.ts";
import { startAccount } from "../costs.ts";
import { readBy, readerObstacle } from "../reader.ts";
import type { Alarm, Guard } from "./types.ts";

// It rehearses blocking, gives back what starting took, and reminds itself after fifteen seconds.
const SETTLES_MS = 17_000;

/**
 * @param settings further lines of [respond]
 * @param isTimed whether a reader notes the moment of each word; otherwise its own word is taken for it
 */
export function telltale(name: string, role: Guard["role"], settings: string, isTimed = false): Guard {
  const said = settings === "" ? "" : ` # [respond] ${settings.replaceAll("\n", ", ")}`;
  return {
    name,
    role,
    command: `bin/telltale guard --block --config telltale.toml${said}`,
    obstacle: missing("nft", "nftables") ?? (isTimed ? readerObstacle() : null),
    blocks: true,
    settlesMs: SETTLES_MS,
    start: async (lab) => {
      const config = join(lab.dir, "telltale.toml");
      writeFileSync(
        config,
        `[store]\ndirectory = "${lab.dir}/store"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n[respond]\n${settings}\n`,
      );
      const account = startAccount(lab);
      const reader = isTimed ? readBy(lab) : null;
      const guard = await startGuard(lab, ["--block", "--config", config], {
        ...withListener(lab),
        ...reader,
      });
      return {
        cost: () => {
          let lost = 0;
          for (const event of guard.events) if (event.type === "packets.lost") lost += event.count;
          return { ...account(), lost };
        },
        alarms: () => {
          const readMs = reader?.linesMs();
          return guard.events.flatMap((event, index): Alarm[] => {
            const atMs = Date.parse(event.at) + 1; // it is written in whole milliseconds, and was true in the next
            const heardMs = readMs?.[index] ?? atMs;
            if (event.type === "scan.detected") return [{ source: event.scan.source, atMs, heardMs }];
            if (event.type === "block.applied") return [{ source: event.target, atMs, heardMs }];
            return [];
          });
        },
      };
    },
  };
}
