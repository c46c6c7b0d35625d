// What happened in the warden, until the listener has it in the store: in order, none twice, none lost while the
// listener is down, and no more than a bounded memory holds.
import type { Event } from "../core/events.ts";

// An hour of rotating a thousand logs; some 10 MB at the most.
const MAX_EVENTS = 10_000;
// Said and not yet stored; more only fills the pipe.
const WINDOW = 256;

export type Letter = { readonly n: number; readonly event: Event };

export class Outbox {
  readonly #maxEvents: number;
  #letters: Letter[] = [];
  #next = 1;
  #said = 0;
  #lost = 0;

  constructor(maxEvents = MAX_EVENTS) {
    this.#maxEvents = maxEvents;
  }

  put(event: Event): void {
    this.#letters.push({ n: this.#next++, event });
    if (this.#letters.length <= this.#maxEvents) return;
    // The oldest has been said longest ago; whoever did not store it by now will not.
    this.#letters.shift();
    this.#said = Math.max(0, this.#said - 1);
    this.#lost++;
  }

  /** What is to be said now; each once, until `again`. */
  due(): readonly Letter[] {
    const letters = this.#letters.slice(this.#said, WINDOW);
    this.#said += letters.length;
    return letters;
  }

  /** Everything up to this number is kept by somebody else. */
  stored(upTo: number): void {
    const kept = this.#letters.findIndex(({ n }) => n > upTo);
    const gone = kept < 0 ? this.#letters.length : kept;
    this.#letters.splice(0, gone);
    this.#said = Math.max(0, this.#said - gone);
  }

  /** A new listener: whatever was not stored is said anew (the store takes an event once). */
  again(): void {
    this.#said = 0;
  }

  /** How many events had to be dropped since this was asked last. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  get waiting(): number {
    return this.#letters.length;
  }
}
