// Lets an address, or everybody, in again. It must work when nothing else does: with the guard down, the store
// damaged or the configuration broken.
import { existsSync } from "node:fs";
import { formatPrefix, parsePrefix } from "../../core/address.ts";
import { systemClock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import type { ChangeResult } from "../../respond/backend.ts";
import { prefixesOverlap } from "../../respond/guardrails.ts";
import { liftOf } from "../../respond/plan.ts";
import { openStore, type Store } from "../../store/store.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { heldHere, liftEverything, makeBackend } from "../firewall.ts";
import { manualResponder } from "../manual-responder.ts";
import { gatherSettings, type Settings } from "../settings.ts";

// About 20 ms of writing.
const BLOCKS_PER_WRITE = 1_000;

export async function run({ values, operands }: CommandCall): Promise<number> {
  const all = values["all"] === true;
  if (all === operands.length > 0) {
    process.stderr.write(
      "telltale unblock: wants addresses, or --all\n    mend: telltale unblock 192.0.2.7\n",
    );
    return 64;
  }
  const settings = gatherSettings(values["config"] as string | undefined);
  if (all) return (await unblockEverybody(settings)) === "everybody" ? 0 : 1;
  let store: Store;
  try {
    store = openStore(settings.storeFile);
  } catch (error) {
    return await unblockWithoutHistory(settings, operands, error);
  }
  const { responder } = await manualResponder(settings, store);
  let status = 0;
  try {
    for (const operand of operands) {
      if (parsePrefix(operand) === null) {
        process.stderr.write(
          `telltale unblock: wants an address or network, found "${showable(operand)}"\n    mend: telltale unblock 192.0.2.7\n`,
        );
        status = 64;
      } else if (!tellLifted(operand, await responder.lift(operand))) status ||= 1;
    }
  } finally {
    await responder.close();
    store.close();
  }
  return status;
}

/** Says what became of the blocks that covered an address; false when it was not let in. */
function tellLifted(operand: string, results: readonly ChangeResult[]): boolean {
  const asked = showable(operand);
  const refused = results.filter(({ why }) => why !== null);
  for (const { change, why, mend } of refused) {
    const target = formatPrefix(change.target);
    process.stderr.write(
      `telltale unblock: ${asked}: the block of ${target} stands: ${showable(why!)}\n    mend: ${mend}\n`,
    );
  }
  if (refused.length > 0) return false;
  // Whoever was let in with it: a network of which the administrator named one address.
  const prefix = parsePrefix(operand);
  const own = prefix === null ? operand : formatPrefix(prefix);
  const wider = results.map(({ change }) => formatPrefix(change.target)).filter((target) => target !== own);
  const others = wider.length === 0 ? "" : `, and with it all of ${wider.join(" and ")}`;
  process.stdout.write(
    results.length === 0 ? `${asked} was not blocked.\n` : `${asked} is let in again${others}.\n`,
  );
  return results.length > 0;
}

// What is in the firewall can be lifted whatever has become of the history.
async function unblockWithoutHistory(
  settings: Settings,
  operands: readonly string[],
  cause: unknown,
): Promise<number> {
  process.stderr.write(
    `telltale unblock: the history cannot be told: ${describeError(cause)}\n    mend: a guard that restarts may block again; see telltale doctor\n`,
  );
  const held = await heldHere(settings);
  const backend = makeBackend(settings);
  try {
    for (const operand of operands) {
      const wanted = parsePrefix(operand);
      const covering = held.filter(
        ({ target }) => wanted !== null && target.bits <= wanted.bits && prefixesOverlap(target, wanted),
      );
      tellLifted(operand, await backend.apply(covering.map(liftOf)));
    }
  } finally {
    await backend.close();
  }
  return 1;
}

/** Who was let in: everybody; everybody, but the history could not be told; or those of whom is known that they were blocked. */
export type LetIn = "everybody" | "untold" | "the known";

/** Lifts every block: the firewall first, by itself; the history afterwards, if it can be opened at all. */
export async function unblockEverybody(settings: Settings): Promise<LetIn> {
  const left = await liftEverything(settings);
  const letIn = left === null ? "everybody" : "the known";
  if (left !== null)
    process.stderr.write(`telltale unblock: ${showable(left.why)}\n    mend: ${left.mend}\n`);
  const who = left === null ? "Everybody" : "Everybody who is known";
  if (!existsSync(settings.storeFile)) {
    process.stdout.write(`${who} is let in again: telltale's blocks are out of the firewall.\n`);
    return letIn;
  }
  try {
    using store = openStore(settings.storeFile);
    const now = systemClock.now();
    const bus = new Bus(settings.host, systemClock);
    let count = 0;
    for (let after = ""; ; ) {
      // Page by page: whoever else writes has his turn in between, and an order that is killed has told of what it did.
      const page = store.blocks.inForceAfter(now, after, BLOCKS_PER_WRITE);
      if (page.length === 0) break;
      store.transaction(() => {
        for (const { target } of page) store.blocks.lift(target, now, "administrator");
        store.appendAll(
          page.map(({ target, packetsStopped }) =>
            bus.stamp({ type: "block.lifted", target, cause: "administrator", packetsStopped }),
          ),
        );
      });
      count += page.length;
      after = page.at(-1)!.target;
    }
    process.stdout.write(`${who} is let in again (${count} ${count === 1 ? "block" : "blocks"} lifted).\n`);
    return letIn;
  } catch (error) {
    process.stdout.write(`${who} is let in again: telltale's blocks are out of the firewall.\n`);
    process.stderr.write(
      `telltale unblock: the history could not be told: ${describeError(error)}\n    mend: a guard that restarts would block again; see telltale doctor\n`,
    );
    return left === null ? "untold" : letIn;
  }
}
