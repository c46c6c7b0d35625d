// Makes the running guard read its configuration again, and says what came of it.
import { formatFault } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import type { CommandCall } from "../catalogue.ts";
import { askReload, askStatus } from "../control/client.ts";
import { guardSocket } from "../control/find.ts";
import { gatherPlaces } from "../places.ts";

export async function run({ values }: CommandCall): Promise<number> {
  const controlSocket = guardSocket(gatherPlaces(values["config"] as string | undefined));
  const outcome = await askReload(controlSocket);
  if (values["json"] === true) process.stdout.write(`${JSON.stringify(outcome)}\n`);
  if ("faults" in outcome) {
    if (values["json"] !== true) {
      for (const fault of outcome.faults) process.stderr.write(`${formatFault(fault)}\n`);
      process.stderr.write("telltale reload: refused; the guard goes on as before\n");
    }
    return 1;
  }
  if (values["json"] === true) return 0;
  for (const change of outcome.changes) process.stdout.write(`${showable(change)}\n`);
  // Faults that the guard has lived with since its start are no news to it, but may be to whoever asks.
  const { faults } = await askStatus(controlSocket);
  for (const fault of faults) process.stderr.write(`still: ${formatFault(fault)}\n`);
  if (outcome.changes.length === 0) process.stdout.write("nothing in the configuration has changed\n");
  return 0;
}
