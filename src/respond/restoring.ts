// Brings history, belief and firewall back into step: when the guard starts, and when somebody has taken the firewall
// apart. What is in force is not given up because one of the three has forgotten it.
import { formatPrefix, type Prefix, parsePrefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";
import type { Backend, ChangeResult } from "./backend.ts";
import type { BlockLedger } from "./ledger.ts";
import { FirewallPlan, type HeldBlock, liftOf, type WantedBlock } from "./plan.ts";
import type { ChangeQueue } from "./queue.ts";
import { nextTurn } from "./turns.ts";
import type { BlockRow, FirewallChange } from "./types.ts";

export type Restoring = {
  readonly backend: Backend;
  readonly ledger: BlockLedger;
  readonly queue: ChangeQueue;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly guarded: (target: Prefix) => boolean;
  /** How much longer than believed the firewall holds a block, milliseconds. */
  readonly graceMs: number;
  /** For a block found in a firewall that knows no time, milliseconds. */
  readonly blockMs: number;
};

// A millisecond or two.
const HELD_PER_TURN = 1_000;

/** Believes what the history says, page by page; whoever is protected by now is freed. Each page is what is to be in force. */
async function* believeHistory({
  ledger,
  clock,
  guarded,
}: Restoring): AsyncGenerator<readonly WantedBlock[]> {
  for (let after = ""; ; ) {
    const rows = ledger.rowsInForce(after);
    if (rows === null || rows.length === 0) return;
    const wallMs = clock.now().getTime();
    const wanted: WantedBlock[] = [];
    for (const row of rows) {
      const target = parsePrefix(row.target);
      if (target === null) continue;
      // Under a clock that is behind, a block would last longer than it was meant to.
      const leftMs = row.untilMs - Math.max(wallMs, row.sinceMs);
      if (guarded(target)) ledger.end(row.target, "guardrail", row.packetsStopped);
      else if (Number.isFinite(leftMs)) {
        ledger.believeKnown(row, target, leftMs);
        const { packetsStopped, throttled } = row;
        wanted.push({ target, leftMs, packetsStopped, throttled });
      }
    }
    yield wanted;
    after = rows.at(-1)!.target;
    await nextTurn();
  }
}

/**
 * Brings the firewall to what the history says; the firewall is at work on a page while the next is read. What it holds and the history
 * does not know is believed as well: blocks that could not be written down, or whose history was lost with a disk. One whose time is
 * over but for the grace is lifted, as is whoever is protected by now.
 */
export async function restoreHistory(restoring: Restoring): Promise<void> {
  const { backend, ledger, graceMs } = restoring;
  const plan = new FirewallPlan(await backend.held(), graceMs);
  const steps = async function* (): AsyncGenerator<readonly FirewallChange[]> {
    for await (const wanted of believeHistory(restoring)) yield stepsFor(plan, wanted);
    const rest = plan.rest();
    for (let at = 0; at < rest.length; at += HELD_PER_TURN) {
      const some = rest.slice(at, at + HELD_PER_TURN);
      for (const block of some) adopt(restoring, block);
      yield some.filter(({ target }) => !ledger.standing.has(target)).map(liftOf);
      await nextTurn();
    }
  };
  await restoring.queue.eachBatch(steps(), (results) => tellFailures(restoring, results));
}

/** Believes what the history says, and leaves the firewall as it is. */
export async function observeHistory(restoring: Restoring): Promise<void> {
  for await (const _page of believeHistory(restoring));
}

/** Puts into the firewall what is believed in force. What else it holds the kernel's tripwire may just have put there. */
export async function restoreBelieved({ backend, ledger, queue, emit, graceMs }: Restoring): Promise<void> {
  const plan = new FirewallPlan(await backend.held(), graceMs);
  const steps = function* (): Generator<FirewallChange> {
    for (const wanted of ledger.wanted()) {
      const step = plan.stepFor(wanted);
      if (step !== null) yield step;
    }
  };
  await queue.each(steps(), (results) => tellFailures({ ledger, emit }, results));
}

function stepsFor(plan: FirewallPlan, wanted: readonly WantedBlock[]): FirewallChange[] {
  return wanted.map((each) => plan.stepFor(each)).filter((step) => step !== null);
}

function adopt({ ledger, clock, guarded, graceMs, blockMs }: Restoring, held: HeldBlock): void {
  const { target, leftMs, packetsStopped, throttled } = held;
  const forMs = leftMs === null ? blockMs : leftMs - graceMs;
  if (forMs < 1_000 || ledger.standing.has(target) || guarded(target)) return;
  const now = clock.now();
  const row: BlockRow = {
    target: formatPrefix(target),
    since: now.toISOString(),
    until: new Date(now.getTime() + forMs).toISOString(),
    because: "found in the firewall when the guard started; the history did not know it",
    grade: "spoofable",
    findingId: "",
    packetsStopped,
    ...(throttled === true && { throttled }),
  };
  ledger.adopt(row, target, forMs);
}

function tellFailures(
  { ledger, emit }: Pick<Restoring, "ledger" | "emit">,
  results: readonly ChangeResult[],
): void {
  for (const { change, why, mend } of results) {
    if (why === null || change.do === "lift") continue;
    ledger.disbelieve(change.target, null);
    emit({ type: "block.failed", target: formatPrefix(change.target), why, mend, findingId: "" });
  }
}
