// Brings history, belief and firewall back into step: when the guard starts, and when somebody has taken the firewall
// apart. What is in force is not given up because one of the three has forgotten it.
import { formatPrefix, type Prefix, parsePrefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";
import type { Backend } from "./backend.ts";
import type { BlockLedger } from "./ledger.ts";
import { type HeldBlock, planChanges } from "./plan.ts";
import type { ChangeQueue } from "./queue.ts";

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

// Long lists are worked off in turns of a few milliseconds.
const ROWS_PER_TURN = 2_000;

/** Believes what the history says; whoever is protected by now is freed. */
export async function believeHistory({ ledger, clock, guarded }: Restoring): Promise<void> {
  const wallMs = clock.now().getTime();
  let read = 0;
  for (const row of ledger.rowsInForce()) {
    if (++read % ROWS_PER_TURN === 0) await nextTurn();
    const target = parsePrefix(row.target);
    if (target === null) continue;
    if (guarded(target)) ledger.end(row.target, "guardrail", row.packetsStopped);
    // Under a clock that is behind, a block would last longer than it was meant to.
    else ledger.believe(row, target, Date.parse(row.until) - Math.max(wallMs, Date.parse(row.since)));
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
  const now = clock.now();
  const held = await backend.held();
  for (const { target, leftMs, packetsStopped, throttled } of held) {
    const forMs = leftMs === null ? blockMs : leftMs - graceMs;
    if (forMs < 1_000 || ledger.standing.get(target) !== null || guarded(target)) continue;
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
  const changes = planChanges(ledger.wanted(), held, graceMs).filter(
    (change) => change.do === "block" || others === "lift",
  );
  for (let at = 0; at < changes.length; at += ROWS_PER_TURN) {
    for (const { change, why, mend } of await queue.changes(changes.slice(at, at + ROWS_PER_TURN))) {
      if (why === null || change.do === "lift") continue;
      const findingId = ledger.standing.get(change.target)?.row.findingId ?? "";
      ledger.disbelieve(change.target, null);
      emit({ type: "block.failed", target: formatPrefix(change.target), why, mend, findingId });
    }
  }
}

const TOLD_PER_TURN = 200;

/** Works a long list off in turns of a few milliseconds. */
export async function inTurns<T>(all: readonly T[], work: (some: readonly T[]) => void): Promise<void> {
  for (let at = 0; at < all.length; at += TOLD_PER_TURN) {
    if (at > 0) await nextTurn();
    work(all.slice(at, at + TOLD_PER_TURN));
  }
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
