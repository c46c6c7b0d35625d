// Brings changes to the firewall one batch at a time: what arrives while it is busy goes together into the next, so
// a quiet host blocks at once and a busy one in bulk.
import { formatPrefix } from "../core/address.ts";
import { describeError } from "../core/errors.ts";
import type { Backend, ChangeResult } from "./backend.ts";
import { nextTurn } from "./turns.ts";
import type { FirewallChange } from "./types.ts";

// Five to ten milliseconds in the kernel, which takes no less for each of more: what comes meanwhile waits for no longer.
const MOST_PER_BATCH = 500;
// Whoever waited writes to the history, 0.1 ms each: so many at once, then the event loop gets its turn.
const TOLD_PER_TURN = 64;

// Of a long list so many at once: some milliseconds in the kernel, after which whoever blocks a scanner has his turn.
const MOST_OF_A_LIST = 1_000;

const NOTHING_APPLIED: Promise<readonly ChangeResult[]> = Promise.resolve([]);

type Waiting = { readonly change: FirewallChange; readonly done: (result: ChangeResult) => void };

export class ChangeQueue {
  readonly #backend: Backend;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #list: Promise<void> = Promise.resolve();
  // While a long list is worked off: who was lifted since it was begun, and must not be blocked by what it says of then.
  #lifted: Set<string> | null = null;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** One change; when the firewall is idle it is made within this very call. */
  change(change: FirewallChange): Promise<ChangeResult> {
    const result = this.#queued(change);
    this.#flush();
    return result;
  }

  changes(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    const results = changes.map((change) => this.#queued(change));
    this.#flush();
    return Promise.all(results);
  }

  /**
   * A long list, batch after batch; single changes come in between. The next batch is made while the firewall is at work on
   * the last. What the list would block and somebody has lifted meanwhile stays out. One list after the other.
   * @param told hears what became of each batch
   */
  each(changes: Iterable<FirewallChange>, told: (results: readonly ChangeResult[]) => void): Promise<void> {
    return this.eachBatch(inBatches(changes), told);
  }

  /** The same for a list that comes in batches. Throws what the list throws. */
  eachBatch(
    batches: AsyncIterable<readonly FirewallChange[]>,
    told: (results: readonly ChangeResult[]) => void,
  ): Promise<void> {
    const done = this.#list.then(() => this.#workOff(batches, told));
    this.#list = done.catch(() => {}); // Whoever asked hears of it; the next list has its own turn.
    return done;
  }

  async #workOff(
    batches: AsyncIterable<readonly FirewallChange[]>,
    told: (results: readonly ChangeResult[]) => void,
  ): Promise<void> {
    const lifted = new Set<string>();
    this.#lifted = lifted;
    let applied: Promise<readonly ChangeResult[]> = NOTHING_APPLIED;
    try {
      for await (const next of batches) {
        told(await applied);
        applied = NOTHING_APPLIED;
        while (this.#flushing !== undefined) await this.#flushing;
        if (this.#lifted !== lifted) return;
        const still = next.filter(
          ({ do: what, target }) => what === "lift" || !lifted.has(formatPrefix(target)),
        );
        if (still.length === 0) continue;
        const made = this.#apply(still);
        applied = made;
        this.#flushing = made.then(() => this.#flushed());
        await nextTurn();
      }
      told(await applied);
    } finally {
      // Also when whoever is told throws: what is lifted is only kept while a list is at work.
      if (this.#lifted === lifted) this.#lifted = null;
    }
  }

  /** Gives up a long list: what is on its way arrives, nothing more of it is sent. */
  giveUp(): void {
    this.#lifted = null;
  }

  /** Gives up a long list, and resolves when nothing waits any more. */
  async idle(): Promise<void> {
    this.giveUp();
    while (this.#flushing !== undefined) await this.#flushing;
  }

  #queued(change: FirewallChange): Promise<ChangeResult> {
    if (this.#lifted !== null) {
      if (change.do === "lift") this.#lifted.add(formatPrefix(change.target));
      else this.#lifted.delete(formatPrefix(change.target));
    }
    return new Promise((done) => {
      this.#waiting.push({ change, done });
    });
  }

  #flush(): void {
    if (this.#flushing !== undefined || this.#waiting.length === 0) return;
    const batch = this.#waiting.splice(0, MOST_PER_BATCH);
    this.#flushing = this.#apply(batch.map(({ change }) => change)).then(async (results) => {
      for (let at = 0; at < results.length; at += TOLD_PER_TURN) {
        for (let i = at; i < Math.min(results.length, at + TOLD_PER_TURN); i++) batch[i]!.done(results[i]!);
        if (batch.length > TOLD_PER_TURN) await nextTurn();
      }
      this.#flushed();
    });
  }

  #flushed(): void {
    this.#flushing = undefined;
    this.#flush();
  }

  // A backend promises not to throw; one that does all the same must not leave everybody waiting for ever.
  #apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    return this.#backend.apply(changes).catch((error) => changes.map((change) => broken(change, error)));
  }
}

async function* inBatches(changes: Iterable<FirewallChange>): AsyncGenerator<readonly FirewallChange[]> {
  let some: FirewallChange[] = [];
  for (const change of changes) {
    some.push(change);
    if (some.length < MOST_OF_A_LIST) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

function broken(change: FirewallChange, error: unknown): ChangeResult {
  return { change, why: describeError(error), mend: "see `telltale doctor`", packetsStopped: 0 };
}
