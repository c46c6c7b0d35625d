// Notices when somebody takes telltale's part of the firewall apart and puts it back; unless it was the
// administrator's own order to lift everything, from another process.
import type { Clock } from "../core/clock.ts";
import { formatDuration } from "../core/duration.ts";
import { describeError } from "../core/errors.ts";
import type { Backend, BackendEvent } from "./backend.ts";
import type { Voice } from "./voice.ts";

export type HealingOptions = {
  readonly backend: Backend;
  /** What carries the blocks, for a message. */
  readonly what: () => string;
  readonly clock: Clock;
  readonly voice: Voice;
  /** Makes the firewall hold what is believed in force; resolves to the number of blocks. */
  readonly restore: () => Promise<number>;
  /** Puts in what other processes have blocked while all of it was being restored. */
  readonly settle: () => Promise<void>;
  /** Everything was lifted by order: believe in nothing any more, and make the table anew, empty. */
  readonly lifted: () => Promise<void>;
};

// A reload takes a table apart in several steps; one look after the last is enough.
const LOOK_AFTER_MS = 50;
// The process that lifts by order writes the history after the firewall; what it has written need not be said twice.
const ORDER_SETTLES_MS = 400;
// A block by hand goes into the firewall, and then into the history: what fell out between the two is in neither while all is
// put back. By now it has been written down.
const SETTLES_MS = 3_000;
// Without notifications, or when putting back has failed, look this often.
const LOOK_EVERY_TICKS = 5;

export class Healing {
  readonly #options: HealingOptions;
  #told = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #ordered = false;
  #active = false;
  #failed = false;
  #ticks = 0;
  #settleAtMs: number | null = null;

  constructor(options: HealingOptions) {
    this.#options = options;
  }

  /** Begins to watch; a machine that does not tell is looked at every few seconds. Never throws. */
  async start(): Promise<void> {
    const { backend } = this.#options;
    if (this.#active) return;
    this.#active = true;
    try {
      this.#told = await backend.watch();
    } catch (error) {
      this.#options.voice.fail(
        "table",
        `the kernel does not tell of firewall changes: ${describeError(error)}`,
        `a removed table is noticed within ${LOOK_EVERY_TICKS} s instead of at once`,
      );
    }
  }

  /** Takes up what the backend tells of the firewall. */
  hear({ on }: BackendEvent): void {
    if (!this.#active || (on !== "disturbed" && on !== "lifted-by-order")) return;
    if (on === "lifted-by-order") this.#ordered = true;
    this.#look(this.#ordered ? ORDER_SETTLES_MS : LOOK_AFTER_MS);
  }

  /** Whether there is something to look at before long. */
  get isWaiting(): boolean {
    return this.#settleAtMs !== null || (this.#active && (!this.#told || this.#failed));
  }

  tick(): void {
    if (this.#settleAtMs !== null && this.#options.clock.monotonicMs() >= this.#settleAtMs) this.#settle();
    if (!this.#active || (this.#told && !this.#failed)) return;
    if (++this.#ticks % LOOK_EVERY_TICKS === 0) this.#look(0);
  }

  async close(): Promise<void> {
    this.#active = false;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #look(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#looking !== undefined) {
        this.#lookAgain = true;
        return;
      }
      this.#work(this.#mend());
    }, afterMs);
    this.#timer.unref();
  }

  #settle(): void {
    if (this.#looking !== undefined) return;
    this.#settleAtMs = null;
    this.#work(
      this.#options.settle().catch((error) => {
        this.#options.voice.fail(
          "table",
          `not all blocks could be put back: ${describeError(error)}`,
          "see `telltale blocks` and `telltale doctor`",
        );
      }),
    );
  }

  #work(work: Promise<void>): void {
    this.#looking = work.finally(() => {
      this.#looking = undefined;
      if (!this.#lookAgain || !this.#active) return;
      this.#lookAgain = false;
      this.#look(LOOK_AFTER_MS);
    });
  }

  async #mend(): Promise<void> {
    const { backend, what, clock, voice, restore, lifted } = this.#options;
    const sinceMs = clock.monotonicMs();
    try {
      if (!this.#active || (await backend.intact())) return;
      if (this.#ordered) {
        this.#ordered = false;
        await lifted();
        return;
      }
      voice.fail(
        "table",
        `somebody took apart what carries the blocks (${what()})`,
        "see who changes the firewall; telltale puts its own part back",
      );
      const blocks = await restore();
      this.#failed = false;
      this.#settleAtMs = clock.monotonicMs() + SETTLES_MS;
      const took = formatDuration(clock.monotonicMs() - sinceMs);
      voice.recovered(
        "table",
        `${blocks} ${blocks === 1 ? "block is" : "blocks are"} back in the firewall after ${took}`,
      );
    } catch (error) {
      this.#failed = true;
      voice.fail(
        "table",
        `the blocks could not be put back: ${describeError(error)}`,
        "see `telltale doctor`; it is tried again every few seconds",
      );
    }
  }
}
