// Attacks told at once, beside the report on its schedule. Nothing is lost when a message is held back or the guard
// stops: the events are in the store, and the next report has them all.
import { type Clock, systemClock } from "../core/clock.ts";
import type { Event, Mode } from "../core/events.ts";
import {
  ALERT_LIMITS,
  type AlertLimits,
  type AlertState,
  type Batch,
  collect,
  isUrgent,
  QUIET,
  release,
  waitMs,
} from "./alert/decide.ts";
import { counted } from "./figures/render.ts";
import { composeReport } from "./message.ts";
import type { Message } from "./types.ts";

// One screen: the report that follows has the rest.
const MAX_LINES = 40;

export type AlertOptions = {
  readonly host: string;
  readonly mode: () => Mode;
  /** Sends or spools a message; `Spool.send` fits. What it throws or returns is its own affair. */
  readonly send: (message: Message) => Promise<unknown>;
  readonly clock?: Clock;
  readonly limits?: Partial<AlertLimits>;
  /** Which events are worth a message at once; `isUrgent` when not given. A public host may want fewer. */
  readonly wanted?: (event: Event) => boolean;
  readonly pid?: number;
};

/** Watches the stream of events and sends what is urgent in batches. */
export class Alerts {
  readonly #options: AlertOptions;
  readonly #clock: Clock;
  readonly #limits: AlertLimits;
  #state: AlertState = QUIET;
  #timer: NodeJS.Timeout | null = null;
  #sending = false;
  #closed = false;

  constructor(options: AlertOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...ALERT_LIMITS, ...options.limits };
  }

  /** Takes one event of any type; returns at once. */
  observe(event: Event): void {
    const wanted = this.#options.wanted ?? isUrgent;
    if (this.#closed || !wanted(event)) return;
    this.#state = collect(this.#state, event, this.#clock.monotonicMs(), this.#limits);
    if (this.#timer === null) this.#arm();
  }

  /** Stops; what was collected is left to the next report. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #arm(): void {
    if (this.#closed || this.#sending) return;
    const wait = waitMs(this.#state, this.#clock.monotonicMs(), this.#limits);
    if (wait === null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#look();
    }, wait);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (waitMs(this.#state, nowMs, this.#limits) === 0) {
      const released = release(this.#state, nowMs, this.#limits);
      this.#state = released.state;
      this.#sending = true;
      try {
        const message = this.#compose(released.batch);
        if (message !== null) await this.#options.send(message);
      } catch {
        // `send` has said why by its own event; the store keeps the findings for the next report.
      } finally {
        this.#sending = false;
      }
    }
    this.#arm();
  }

  #compose({ events, unlisted }: Batch): Message | null {
    const { host, mode, pid } = this.#options;
    const to = this.#clock.now();
    const first = Date.parse(events[0]?.at ?? "");
    const more = `${counted(unlisted, "more finding")} came in meanwhile: the next report has them.`;
    return composeReport({
      host,
      from: Number.isNaN(first) ? to : new Date(Math.min(first, to.getTime())),
      to,
      mode: mode(),
      events,
      blocksInForce: [],
      maxLinesPerSection: MAX_LINES,
      ...(pid === undefined ? {} : { pid }),
      ...(unlisted === 0 ? {} : { preface: more }),
    });
  }
}
