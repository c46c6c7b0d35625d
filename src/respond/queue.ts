// Brings changes to the firewall one batch at a time: what arrives while it is busy goes together into the next, so
// a quiet host blocks at once and a busy one in bulk.
import { describeError } from "../core/errors.ts";
import type { Backend, ChangeResult } from "./backend.ts";
import type { FirewallChange } from "./types.ts";

// About 20 ms in the kernel; from some 600 on a thread does it, and the event loop runs meanwhile.
const MOST_PER_BATCH = 2000;
// Whoever waited writes to the history, 0.1 ms each: so many at once, then the event loop gets its turn.
const TOLD_PER_TURN = 64;

type Waiting = { readonly change: FirewallChange; readonly done: (result: ChangeResult) => void };

export class ChangeQueue {
  readonly #backend: Backend;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;

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

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
  }

  #queued(change: FirewallChange): Promise<ChangeResult> {
    return new Promise((done) => {
      this.#waiting.push({ change, done });
    });
  }

  #flush(): void {
    if (this.#flushing !== undefined || this.#waiting.length === 0) return;
    const batch = this.#waiting.splice(0, MOST_PER_BATCH);
    const changes = batch.map(({ change }) => change);
    // A backend promises not to throw; one that does all the same must not leave everybody waiting for ever.
    const applied = this.#backend
      .apply(changes)
      .catch((error) => changes.map((change) => broken(change, error)));
    this.#flushing = applied.then(async (results) => {
      for (let at = 0; at < results.length; at += TOLD_PER_TURN) {
        for (let i = at; i < Math.min(results.length, at + TOLD_PER_TURN); i++) batch[i]!.done(results[i]!);
        if (batch.length > TOLD_PER_TURN) await new Promise((resolve) => setImmediate(resolve));
      }
      this.#flushing = undefined;
      this.#flush();
    });
  }
}

function broken(change: FirewallChange, error: unknown): ChangeResult {
  return { change, why: describeError(error), mend: "see `telltale doctor`", packetsStopped: 0 };
}
