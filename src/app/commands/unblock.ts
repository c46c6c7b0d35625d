// Lets an address, or everybody, in again. It must work when nothing else does: with the guard down, the store
// damaged or the configuration broken.
import { parsePrefix } from "../../core/address.ts";
import { systemClock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import { openStore } from "../../store/store.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { liftEverything } from "../firewall.ts";
import { manualResponder } from "../manual-responder.ts";
import { gatherSettings, type Settings } from "../settings.ts";

export async function run({ values, operands }: CommandCall): Promise<number> {
  const all = values["all"] === true;
  if (all === operands.length > 0) {
    process.stderr.write(
      "telltale unblock: wants addresses, or --all\n    mend: telltale unblock 192.0.2.7\n",
    );
    return 64;
  }
  const settings = gatherSettings(values["config"] as string | undefined);
  if (all) return await unblockEverybody(settings);
  const store = openStore(settings.storeFile);
  const { responder } = await manualResponder(settings, store);
  let status = 0;
  try {
    for (const operand of operands) {
      if (parsePrefix(operand) === null) {
        process.stderr.write(`telltale unblock: wants an address or network, found "${showable(operand)}"\n`);
        status = 64;
      } else if (await responder.lift(operand)) process.stdout.write(`${operand} is let in again.\n`);
      else {
        process.stdout.write(`${operand} was not blocked.\n`);
        status ||= 1;
      }
    }
  } finally {
    await responder.close();
    store.close();
  }
  return status;
}

/** Lifts every block: the firewall first, by itself; the history afterwards, if it can be opened at all. Returns the exit status. */
export async function unblockEverybody(settings: Settings): Promise<number> {
  await liftEverything(settings);
  try {
    using store = openStore(settings.storeFile);
    const now = systemClock.now();
    const bus = new Bus(settings.host, systemClock);
    let count = 0;
    for (const block of store.blocks.inForce(now)) {
      store.transaction(() => {
        store.blocks.lift(block.target, now, "administrator");
        store.append(
          bus.stamp({
            type: "block.lifted",
            target: block.target,
            cause: "administrator",
            packetsStopped: block.packetsStopped,
          }),
        );
      });
      count++;
    }
    process.stdout.write(
      `Everybody is let in again (${count} ${count === 1 ? "block" : "blocks"} lifted).\n`,
    );
    return 0;
  } catch (error) {
    process.stdout.write("Everybody is let in again: telltale's blocks are out of the firewall.\n");
    process.stderr.write(
      `telltale unblock: the history could not be told: ${describeError(error)}\n    mend: a guard that restarts would block again; see telltale doctor\n`,
    );
    return 1;
  }
}
