// Locks an address out by hand. The guardrails hold here too: nobody blocks his own gateway by mistake.
import { formatPrefix, parsePrefix } from "../../core/address.ts";
import { formatDuration, parseDurationMs } from "../../core/duration.ts";
import { showable } from "../../core/hostile.ts";
import { openStore } from "../../store/store.ts";
import type { CommandCall } from "../catalogue.ts";
import { askStatus } from "../control/client.ts";
import { guardSocket } from "../control/find.ts";
import { manualResponder } from "../manual-responder.ts";
import { isPanicked } from "../panic.ts";
import { gatherSettings, type Settings } from "../settings.ts";

const HOUR_MS = 3_600_000;
const NO_ADDRESS = "is no address or network";

export async function run({ values, operands }: CommandCall): Promise<number> {
  const forText = values["for"] as string | undefined;
  const forMs = forText === undefined ? HOUR_MS : parseDurationMs(forText);
  if (operands.length === 0 || forMs === null || forMs === 0) {
    const what =
      operands.length === 0
        ? "wants an address"
        : `--for wants a duration, found "${showable(forText ?? "")}"`;
    process.stderr.write(`telltale block: ${what}\n    mend: telltale block 192.0.2.7 --for 1h\n`);
    return 64;
  }
  const settings = gatherSettings(values["config"] as string | undefined);
  const because = (values["why"] as string | undefined) ?? "blocked by hand";
  using store = openStore(settings.storeFile);
  const { responder, backend } = await manualResponder(settings, store);
  let status = 0;
  try {
    const { endless } = await backend.open();
    let blocked = 0;
    for (const operand of operands) {
      const target = parsePrefix(operand);
      const refusal = target === null ? NO_ADDRESS : await responder.block(target, forMs, because);
      if (refusal === null) {
        blocked++;
        process.stdout.write(`${formatPrefix(target!)} is locked out for ${formatDuration(forMs)}.\n`);
      } else {
        status = 1;
        process.stderr.write(
          `telltale block: ${showable(operand)}: ${showable(refusal)}\n    mend: ${mendOf(refusal)}\n`,
        );
      }
    }
    if (blocked > 0 && endless === true && !(await isGuarded(settings)))
      process.stderr.write(
        `telltale block: no guard runs, and ${backend.name} ends no block by itself: it lasts until a guard is started after that time\n    mend: start telltale, or telltale unblock in time\n`,
      );
    if (isPanicked(settings.storeDirectory))
      process.stderr.write(
        "telltale block: telltale panic holds: the guard itself blocks nobody\n    mend: telltale panic --end\n",
      );
  } finally {
    await responder.close();
  }
  return status;
}

async function isGuarded(settings: Settings): Promise<boolean> {
  try {
    await askStatus(guardSocket(settings));
    return true;
  } catch {
    return false; // Whatever keeps it from answering would keep it from lifting.
  }
}

function mendOf(refusal: string): string {
  if (refusal.startsWith("never blocked")) return "see telltale guardrails";
  if (refusal.includes("too wide")) return "name smaller networks, one by one";
  return refusal === NO_ADDRESS ? "telltale block 192.0.2.7, or 192.0.2.0/24" : "see telltale doctor";
}
