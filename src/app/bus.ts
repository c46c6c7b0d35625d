// Where the rooms meet. Whatever one of them says is stamped, given to the listeners at once and in order, and
// written to the store in batches behind their backs: a block does not wait for a disk. A store that refuses
// (full disk) costs nothing until the bounded queue is full; then the loss itself is counted and told.
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import { EVENT_SCHEMA_VERSION, type Event, type EventBody } from "../core/events.ts";
import { newId } from "../core/id.ts";

// Some 20 MB of events at the most while the store refuses to take them.
const MAX_PENDING = 20_000;
const RETRY_MS = 5_000;
// A write holds this process for a millisecond or two: by then a burst is complete, and whoever waits for news has it.
const WRITE_BEHIND_MS = 5;
// Of a flood so many at a time, some ten milliseconds of writing; and the next a little later, because what is written together
// costs less.
const MOST_PER_WRITE = 500;
const FLOOD_FROM = 100;
const WRITE_FLOOD_MS = 20;

export type EventSink = { appendAll(events: readonly Event[]): void };
export type Listener = (event: Event) => void;

export class Bus {
  readonly #host: string;
  readonly #clock: Clock;
  readonly #acting = new Set<Listener>();
  readonly #hearing = new Set<Listener>();
  readonly #telling: Event[] = [];
  #isTelling = false;
  #sink: EventSink | null = null;
  #pending: Event[] = [];
  #lost = 0;
  #failing = false;
  #scheduled: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;

  constructor(host: string, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** Where events are kept from now on. */
  attach(sink: EventSink): void {
    this.#sink = sink;
    this.#schedule();
  }

  /**
   * Calls `listener` with every event, in the order they happen, until the function it returns is called.
   * @param turn who acts on events hears of each before all who only take note of it
   */
  subscribe(listener: Listener, turn: "acts" | "hears" = "hears"): () => void {
    const listeners = turn === "acts" ? this.#acting : this.#hearing;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Puts id, host and time on what a room says. */
  stamp(body: EventBody): Event {
    const now = this.#clock.now();
    return { v: EVENT_SCHEMA_VERSION, id: newId(now), host: this.#host, at: now.toISOString(), ...body };
  }

  /** Stamps, queues for the store, tells every listener. Bound, so that rooms can be handed it. */
  readonly emit = (body: EventBody): Event => {
    const event = this.stamp(body);
    this.forward(event);
    return event;
  };

  /** Takes what happened in another process, stamped when it did. Bound as `emit` is. */
  readonly forward = (event: Event): void => {
    this.#enqueue(event);
    try {
      this.#tell(event);
    } finally {
      this.#schedule();
    }
  };

  /** Tells the listeners of events that the caller has stored itself. */
  publish(events: readonly Event[]): void {
    for (const event of events) this.#tell(event);
  }

  /** Writes what waits. Returns false when the store refused. */
  flush(): boolean {
    while (this.#pending.length > 0) if (!this.#write()) return this.#sink === null;
    return true;
  }

  #write(): boolean {
    if (this.#sink === null) return false;
    const batch = this.#pending.splice(0, MOST_PER_WRITE);
    try {
      this.#sink.appendAll(batch);
    } catch (error) {
      this.#pending = batch.concat(this.#pending);
      this.#storeRefused(error);
      return false;
    }
    this.#storeTook();
    return true;
  }

  /** Writes what waits, for the last time. */
  close(): void {
    if (this.#scheduled !== null) clearTimeout(this.#scheduled);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#scheduled = null;
    this.flush();
    if (this.#retry !== null) clearTimeout(this.#retry);
  }

  #enqueue(event: Event): void {
    this.#pending.push(event);
    if (this.#pending.length > MAX_PENDING) {
      this.#lost += this.#pending.length - MAX_PENDING;
      this.#pending.splice(0, this.#pending.length - MAX_PENDING);
    }
  }

  #schedule(inMs = WRITE_BEHIND_MS): void {
    if (this.#sink === null || this.#scheduled !== null || this.#retry !== null) return;
    this.#scheduled = setTimeout(() => {
      const isFlood = this.#pending.length >= FLOOD_FROM;
      const took = this.#write();
      this.#scheduled = null;
      if (took && this.#pending.length > 0) this.#schedule(0);
      else if (took && isFlood) this.#schedule(WRITE_FLOOD_MS);
    }, inMs);
  }

  #storeRefused(error: unknown): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.flush(), RETRY_MS);
    this.#retry.unref();
    if (this.#failing) return;
    this.#failing = true;
    this.emit({
      type: "part.failed",
      part: "store",
      why: describeError(error),
      mend: "free space on the filesystem of the store (see telltale doctor)",
      stillRuns: `everything else; up to ${MAX_PENDING} events wait in memory`,
    });
  }

  #storeTook(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (!this.#failing) return;
    this.#failing = false;
    const lost = this.#lost === 0 ? "nothing was lost" : `${this.#lost} events were lost`;
    this.#lost = 0;
    this.emit({ type: "part.recovered", part: "store", how: `it takes events again; ${lost}` });
  }

  // What a listener says to an event comes after that event for everybody.
  #tell(event: Event): void {
    this.#telling.push(event);
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let next = this.#telling.shift(); next !== undefined; next = this.#telling.shift()) {
        for (const listener of this.#acting) listener(next);
        for (const listener of this.#hearing) listener(next);
      }
    } finally {
      this.#isTelling = false;
    }
  }
}
