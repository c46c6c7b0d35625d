// Locks an address out by hand. The guardrails hold here too: nobody blocks his own gateway by mistake.
import { formatPrefix, parsePrefix } from "../../core/address.ts";
import { formatDuration, parseDurationMs } from "../../core/duration.ts";
import { showable } from "../../core/hostile.ts";
import { openStore } from "../../store/store.ts";
import type { CommandCall } from "../catalogue.ts";
import { manualResponder } from "../manual-responder.ts";
import { isPanicked } from "../panic.ts";
import { gatherSettings } from "../settings.ts";

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
    await backend.open();
    for (const operand of operands) {
      const target = parsePrefix(operand);
      const refusal = target === null ? NO_ADDRESS : await responder.block(target, forMs, because);
      if (refusal === null)
        process.stdout.write(`${formatPrefix(target!)} is locked out for ${formatDuration(forMs)}.\n`);
      else {
        status = 1;
        process.stderr.write(
          `telltale block: ${showable(operand)}: ${showable(refusal)}\n    mend: ${mendOf(refusal)}\n`,
        );
      }
    }
    if (isPanicked(settings.storeDirectory))
      process.stderr.write(
        "telltale block: telltale panic holds: the guard itself blocks nobody\n    mend: telltale panic --end\n",
      );
  } finally {
    await responder.close();
  }
  return status;
}

function mendOf(refusal: string): string {
  if (refusal.startsWith("never blocked")) return "see telltale guardrails";
  if (refusal.includes("too wide")) return "name smaller networks, one by one";
  return refusal === NO_ADDRESS ? "telltale block 192.0.2.7, or 192.0.2.0/24" : "see telltale doctor";
}
