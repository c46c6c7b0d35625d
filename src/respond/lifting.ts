// Ends blocks: in the firewall, then in what is believed and remembered, a few hundred at a time.
import { formatPrefix, type Prefix, parsePrefix } from "../core/address.ts";
import type { LiftCause } from "../core/events.ts";
import type { ChangeResult } from "./backend.ts";
import { prefixesOverlap } from "./guardrails.ts";
import type { BlockLedger } from "./ledger.ts";
import { liftOf } from "./plan.ts";
import type { ChangeQueue } from "./queue.ts";
import type { StandingBlock } from "./standing.ts";
import { inTurns } from "./turns.ts";
import type { Voice } from "./voice.ts";

export class Lifting {
  readonly #queue: ChangeQueue;
  readonly #ledger: BlockLedger;
  readonly #voice: Voice;

  constructor(queue: ChangeQueue, ledger: BlockLedger, voice: Voice) {
    this.#queue = queue;
    this.#ledger = ledger;
    this.#voice = voice;
  }

  async lift(blocks: readonly StandingBlock[], cause: LiftCause): Promise<void> {
    const changes = blocks.map(liftOf);
    const results = await this.#queue.changes(changes);
    await this.end(results, cause);
  }

  /** Lifts what ran out while no guard was there, in a firewall that ends no block by itself. */
  async overdue(): Promise<void> {
    for (let some = this.#ledger.overdueAfter(""); some.length > 0; ) {
      const changes = some.flatMap((each) => {
        const target = parsePrefix(each);
        return target === null ? [] : [liftOf({ target })];
      });
      await this.end(await this.#queue.changes(changes), "expired");
      some = this.#ledger.overdueAfter(some.at(-1)!);
    }
  }

  /** Lifts the blocks within a network that is blocked whole: they need no places of their own. */
  async within(network: Prefix): Promise<void> {
    const within = [...this.#ledger.standing].filter(
      ({ target }) => target.bits > network.bits && prefixesOverlap(target, network),
    );
    if (within.length > 0) await this.lift(within, "aggregated");
  }

  /**
   * Writes down what the firewall has lifted; how many that were. The kernel ends an expired block by itself, so that one is
   * over even when the firewall would not be told.
   */
  async end(results: readonly ChangeResult[], cause: LiftCause): Promise<number> {
    let ended = 0;
    await inTurns(results, (some) =>
      this.#ledger.together(() => {
        for (const { change, why, mend, packetsStopped } of some) {
          const target = formatPrefix(change.target);
          if (why !== null) this.#voice.fail("lift", `${target} could not be lifted: ${why}`, mend);
          if (why !== null && cause !== "expired") continue;
          this.#ledger.end(target, cause, packetsStopped);
          ended++;
        }
      }),
    );
    return ended;
  }

  /**
   * Writes down that every block has ended.
   * @param packets what they had stopped by then, by target
   */
  async endAll(packets: ReadonlyMap<string, number>): Promise<void> {
    const { standing } = this.#ledger;
    const before = new Map<string, number>();
    await this.#ledger.eachInForce((row) => before.set(row.target, row.packetsStopped));
    const believed = new Set<string>();
    for (const { target, packetsStopped } of standing) {
      const text = formatPrefix(target);
      before.set(text, packetsStopped);
      believed.add(text);
    }
    await inTurns([...before], (some) =>
      this.#ledger.together(() => {
        for (const [target, stopped] of some) {
          // No longer believed: another process has ended it meanwhile, and its word was taken up.
          if (believed.has(target) && !standing.knows(target)) continue;
          this.#ledger.end(target, "administrator", packets.get(target) ?? stopped);
        }
      }),
    );
  }
}
