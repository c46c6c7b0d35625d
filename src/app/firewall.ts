// Which firewall blocks here, and what it says about the blocks in force.
import { formatPrefix, parsePrefix } from "../core/address.ts";
import { systemClock } from "../core/clock.ts";
import { describeError, MissingPartError } from "../core/errors.ts";
import type { Backend } from "../respond/backend.ts";
import { commandBackend } from "../respond/backends/command.ts";
import type { EarlyOptions } from "../respond/backends/early-rules.ts";
import { hostsDenyBackend } from "../respond/backends/hosts-deny.ts";
import { IptablesBackend } from "../respond/backends/iptables.ts";
import { liftAllTelltale, NftablesBackend } from "../respond/backends/nftables.ts";
import { routeBackend } from "../respond/backends/route.ts";
import { type HeldBlock, liftOf } from "../respond/plan.ts";
import type { ResponderOptions } from "../respond/responder.ts";
import { StoreDamagedError } from "../store/faults.ts";
import { type BlockRow, openStore, type Store } from "../store/store.ts";
import { openHistory } from "./history.ts";
import type { Settings } from "./settings.ts";

/**
 * The backend that the configuration names.
 * @param beside whether a guard may be running that has the firewall as it wants it
 * @param early the user who may have a source blocked before the order for it arrives, where the backend can
 */
export function makeBackend({ config }: Settings, beside = false, early?: EarlyOptions): Backend {
  const { backend, block_command: block, lift_command: lift } = config.respond;
  switch (backend) {
    case "nftables":
      return new NftablesBackend({ beside, ...(early !== undefined && { early }) });
    case "iptables":
      return new IptablesBackend();
    case "route":
      return routeBackend();
    case "hosts-deny":
      return hostsDenyBackend();
    case "command": {
      if (block.length === 0) {
        throw new MissingPartError(
          "respond",
          'respond.backend = "command" without respond.block_command',
          'write block_command = ["/usr/local/sbin/block", "{target}"]',
        );
      }
      return commandBackend({ block: { argv: block }, ...(lift.length > 0 && { lift: { argv: lift } }) });
    }
  }
}

/** How far blocking may go here, for a `Responder`. */
export function respondLimits({
  config: { respond },
}: Settings): Pick<
  ResponderOptions,
  "blockMs" | "maxPerMinute" | "maxInForce" | "aggregateFrom" | "firstOffence"
> {
  return {
    blockMs: respond.block_for,
    maxPerMinute: respond.max_blocks_per_minute,
    maxInForce: respond.max_blocks,
    aggregateFrom: respond.aggregate_from,
    firstOffence: respond.first_offence,
  };
}

/** What nobody can lift, because nothing says any more who is blocked. */
export type LeftBehind = { readonly why: string; readonly mend: string };

/**
 * Takes every block of telltale's out of the firewall. Needs no guard, and no store unless a command of the administrator's blocks.
 * @returns null when everybody is let in
 * @throws MissingPartError when the firewall cannot be changed; as it comes, for those who are not root
 */
export async function liftEverything(settings: Settings): Promise<LeftBehind | null> {
  try {
    if (settings.config.respond.backend === "nftables") {
      await liftAllTelltale();
      return null;
    }
    const backend = makeBackend(settings);
    try {
      await backend.clear();
      return settings.config.respond.backend === "command" ? await liftByHistory(settings, backend) : null;
    } finally {
      await backend.close();
    }
  } catch (error) {
    throw firewallFault(error);
  }
}

// Nobody can ask a command of the administrator's what it has blocked: the history says it.
async function liftByHistory(settings: Settings, backend: Backend): Promise<LeftBehind | null> {
  const { store, left } = historyOrItsRest(settings);
  using _closed = store;
  const targets = (store?.blocks.inForce(systemClock.now()) ?? []).map(({ target }) => parsePrefix(target)!);
  const failed = (await backend.apply(targets.map((target) => liftOf({ target })))).find(
    ({ why }) => why !== null,
  );
  if (failed !== undefined) throw new MissingPartError("respond", failed.why!, failed.mend);
  return left;
}

function historyOrItsRest(settings: Settings): { store: Store | null; left: LeftBehind | null } {
  try {
    return { store: openHistory(settings), left: null };
  } catch (error) {
    if (!(error instanceof StoreDamagedError)) throw error;
    const lift = settings.config.respond.lift_command.join(" ");
    const why = `${describeError(error)}: whom respond.block_command has blocked and what can no longer be read is not known`;
    const mend = `look at what your firewall holds, and run for each: ${lift === "" ? "what undoes respond.block_command" : lift}`;
    // For writing: the damaged file is set aside, and what can be read of it carried over.
    return { store: openStore(settings.storeFile), left: { why, mend } };
  }
}

// Who is not root is told to be; for root the firewall itself is what does not work.
function firewallFault(error: unknown): unknown {
  if (error instanceof MissingPartError || process.geteuid?.() !== 0) return error;
  const why = `the firewall cannot be changed: ${describeError(error)}`;
  return new MissingPartError("respond", why, "see telltale doctor", error);
}

/**
 * The blocks that the firewall holds.
 * @throws MissingPartError when it cannot be asked; as it comes, for those who are not root
 */
export async function heldHere(settings: Settings): Promise<readonly HeldBlock[]> {
  const backend = makeBackend(settings);
  try {
    return await backend.held();
  } catch (error) {
    throw firewallFault(error);
  } finally {
    await backend.close();
  }
}

/** The blocks with the packets each has stopped so far; unchanged where the firewall may not be asked. */
export async function withPacketCounts(
  blocks: readonly BlockRow[],
  held: () => Promise<readonly HeldBlock[]>,
): Promise<readonly BlockRow[]> {
  if (blocks.length === 0) return blocks;
  try {
    const counts = new Map((await held()).map((block) => [formatPrefix(block.target), block.packetsStopped]));
    return blocks.map((block) => ({
      ...block,
      packetsStopped: Math.max(block.packetsStopped, counts.get(block.target) ?? 0),
    }));
  } catch {
    return blocks; // The history's own counts stand, and telltale doctor says why.
  }
}
