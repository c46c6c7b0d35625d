// Brings history, belief and firewall back into step: when the guard starts, and when somebody has taken the firewall
// apart. What is in force is not given up because one of the three has forgotten it.
import { formatPrefix, type Prefix, parsePrefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";
import type { Backend } from "./backend.ts";
import type { BlockLedger } from "./ledger.ts";
import { type HeldBlock, planChanges } from "./plan.ts";
import type { ChangeQueue } from "./queue.ts";
import { nextTurn } from "./turns.ts";
import type { FirewallChange } from "./types.ts";

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
const HELD_PER_TURN = 2_000;

/** Believes what the history says; whoever is protected by now is freed. */
export async function believeHistory({ ledger, clock, guarded }: Restoring): Promise<void> {
  for (let after = ""; ; ) {
    const rows = ledger.rowsInForce(after);
    if (rows === null || rows.length === 0) return;
    const wallMs = clock.now().getTime();
    for (const row of rows) {
      const target = parsePrefix(row.target);
      if (target === null) continue;
      // Under a clock that is behind, a block would last longer than it was meant to.
      const leftMs = row.untilMs - Math.max(wallMs, row.sinceMs);
      if (guarded(target)) ledger.end(row.target, "guardrail", row.packetsStopped);
      else if (Number.isFinite(leftMs)) ledger.believeKnown(row, target, leftMs);
    }
    after = rows.at(-1)!.target;
    await nextTurn();
  }
}

/**
 * Believes what the firewall holds and the history does not know: blocks that could not be written down, or whose history
 * was lost with a disk. One whose time is over but for the grace is left to the kernel.
 * @returns what the firewall holds
 */
export async function adoptHeld({
  backend,
  ledger,
  clock,
  guarded,
  graceMs,
  blockMs,
}: Restoring): Promise<readonly HeldBlock[]> {
  const held = await backend.held();
  const now = clock.now();
  for (const [i, { target, leftMs, packetsStopped, throttled }] of held.entries()) {
    if (i % HELD_PER_TURN === HELD_PER_TURN - 1) await nextTurn();
    const forMs = leftMs === null ? blockMs : leftMs - graceMs;
    if (forMs < 1_000 || ledger.standing.has(target) || guarded(target)) continue;
    ledger.adopt(
      {
        target: formatPrefix(target),
        since: now.toISOString(),
        until: new Date(now.getTime() + forMs).toISOString(),
        because: "found in the firewall when the guard started; the history did not know it",
        grade: "spoofable",
        findingId: "",
        packetsStopped,
        ...(throttled === true && { throttled }),
      },
      target,
      forMs,
    );
  }
  return held;
}

/**
 * Makes the firewall hold what is believed in force.
 * @param held what it holds now
 * @param others what becomes of blocks that nobody believes in: the kernel's tripwire may just have made them
 */
export async function makeFirewallSo(
  { ledger, queue, emit, graceMs }: Restoring,
  held: readonly HeldBlock[],
  others: "lift" | "leave",
): Promise<void> {
  const changes = planChanges(ledger.wanted(), held, graceMs);
  await queue.each(others === "lift" ? changes : onlyBlocks(changes), (results) => {
    for (const { change, why, mend } of results) {
      if (why === null || change.do === "lift") continue;
      ledger.disbelieve(change.target, null);
      emit({ type: "block.failed", target: formatPrefix(change.target), why, mend, findingId: "" });
    }
  });
}

function* onlyBlocks(changes: Iterable<FirewallChange>): Generator<FirewallChange> {
  for (const change of changes) if (change.do === "block") yield change;
}
