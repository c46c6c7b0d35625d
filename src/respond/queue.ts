// Brings changes to the firewall one batch at a time: what arrives while it is busy goes together into the next, so
// a quiet host blocks at once and a busy one in bulk.
import type { Backend, ChangeResult } from "./backend.ts";
import type { FirewallChange } from "./types.ts";

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
    const batch = this.#waiting;
    this.#waiting = [];
    this.#flushing = this.#backend.apply(batch.map(({ change }) => change)).then((results) => {
      this.#flushing = undefined;
      this.#flush();
      results.forEach((result, i) => {
        batch[i]!.done(result);
      });
    });
  }
}
