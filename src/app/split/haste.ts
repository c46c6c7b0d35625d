// Lets the two halves of the guard run before other programs for the few milliseconds that a block takes. On busy cores,
// and a scanner at full speed makes them busy, waiting for a turn takes longer than all the rest. It must not become a way to
// hold a core, since one half may be in a stranger's hands: the kernel grants a third of one at the most, and whoever uses up
// what it was given becomes ordinary again for a while.
import { describeError } from "../../core/errors.ts";
import { type Budget, giveDeadline, giveUpDeadline, hasDeadline } from "../../sys/deadline.ts";

// A scan is known after three milliseconds of work and blocked after one more in the warden; writing it down takes some
// more. In a flood the other sixteen are a pause, once, and then the deadline is given up. Work that does not let the event
// loop run, as a digest of a busy day, takes up to three times as long while the signal waits: the pings of the warden bear that.
const BUDGET: Budget = { runtimeMs: 8, periodMs: 24 };
// Reports, rotation's news and floods take more than that: then it is given again after so long.
const AGAIN_MS = 5_000;

/** Becomes ordinary again when the budget is used up. To be called before anybody gives this process one. */
export function calmDownWhenTold(): void {
  process.on("SIGXCPU", calmDown);
}

/** Becomes ordinary again: before work that is long and not urgent. */
export function calmDown(): void {
  if (hasDeadline(process.pid)) giveUpDeadline();
}

export class Haste {
  readonly #listener: () => number | null;
  readonly #timer: NodeJS.Timeout;
  #refused = "starting is not over";
  #wanted: boolean;

  /**
   * Begins some seconds from now, when starting is over.
   * @param wanted guard.haste
   * @param listener the process number of the other half, while it runs and expects this
   */
  constructor(wanted: boolean, listener: () => number | null) {
    this.#wanted = wanted;
    this.#listener = listener;
    this.#timer = setInterval(() => this.#give(), AGAIN_MS).unref();
  }

  /** Takes up a configuration that was read again. */
  setWanted(wanted: boolean): void {
    this.#wanted = wanted;
    if (wanted) return;
    // Each has to do it itself.
    for (const pid of this.#processes()) if (hasDeadline(pid)) process.kill(pid, "SIGXCPU");
  }

  /** For the status block: how soon the guard gets its turn. */
  describe(): string {
    if (!this.#wanted) return "waits for its turn like every program: guard.haste = false";
    if (this.#refused !== "") return `waits for its turn like every program: ${this.#refused}`;
    return `runs before other programs, each of its two processes for up to ${BUDGET.runtimeMs} of ${BUDGET.periodMs} ms`;
  }

  stop(): void {
    clearInterval(this.#timer);
    calmDown();
  }

  #processes(): number[] {
    const listener = this.#listener();
    return listener === null ? [process.pid] : [process.pid, listener];
  }

  #give(): void {
    if (!this.#wanted) return;
    try {
      for (const pid of this.#processes()) if (!hasDeadline(pid)) giveDeadline(pid, BUDGET);
      this.#refused = "";
    } catch (error) {
      // A container, a sandbox, a set of processors: blocks come later on busy cores, and all else is the same.
      this.#refused = describeError(error);
    }
  }
}
