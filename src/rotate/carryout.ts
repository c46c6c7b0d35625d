// Carries plans out, stanza by stanza: with open directories, threads that compress and a journal beside the state. Loaded once
// something is due, since most runs find nothing to do.
import { availableParallelism } from "node:os";
import { describeError } from "../core/errors.ts";
import { BATCH_LOGS } from "./batches.ts";
import { Directories } from "./directories.ts";
import { type ExecuteContext, executeStanza, type LogOutcome, makePool } from "./execute.ts";
import { dropJournal, Journal, NO_NOTES, type Notes, readJournal } from "./journal.ts";
import { formatStamp } from "./names/match.ts";
import { SqueezeThreads } from "./squeeze/threads.ts";
import type { Tally } from "./tally.ts";
import type { LogPlan, LogStanza, RotateOptions } from "./types.ts";
import { holeWarnings } from "./writers.ts";

// So many small files are open at once, three batches of them: one that a thread works at, one that waits, one that is finished.
const LIGHT_COMPRESSIONS = 192;

export type CarryOutOptions = Pick<
  RotateOptions,
  "compressors" | "inherit" | "scriptLog" | "signal" | "progress"
> & {
  readonly mailCommand: readonly string[];
  readonly now: Date;
  /** null when none is kept. */
  readonly journalPath: string | null;
};

export class CarryOut implements AsyncDisposable {
  readonly #options: CarryOutOptions;
  readonly #tally: Tally;
  readonly #directories = new Directories();
  readonly #threads: SqueezeThreads;
  readonly #context: Omit<ExecuteContext, "identity" | "notes" | "replay">;
  readonly #unsettled: Unsettled;
  readonly #halt = (): void => this.#threads.halt();
  #journal: Journal | null = null;

  constructor(options: CarryOutOptions, tally: Tally) {
    const { compressors, inherit, scriptLog, signal, progress, mailCommand, now } = options;
    const cores = compressors ?? availableParallelism();
    this.#options = options;
    this.#tally = tally;
    this.#threads = new SqueezeThreads(cores);
    this.#unsettled = new Unsettled(tally);
    this.#context = {
      directories: this.#directories,
      threads: this.#threads,
      progress,
      stamp: formatStamp("%Y%m%d%H", now),
      mailCommand,
      inherit: inherit ?? false,
      scriptLog,
      signal,
      pool: makePool(cores),
      lightPool: makePool(LIGHT_COMPRESSIONS),
    };
    signal?.addEventListener("abort", this.#halt);
  }

  /** Bytes that our own compressors have read. */
  get bytesCompressed(): number {
    return this.#threads.bytesDone;
  }

  /** Does the rest of what a run that was cut short had begun, and stamps it with that run's moment. */
  async finishEarlier(path: string): Promise<void> {
    try {
      const unfinished = readJournal(path);
      for (const { plans, replay, atMs } of unfinished) {
        const identity = plans[0]?.stanza.su ?? null;
        const run = await executeStanza(plans, { ...this.#context, identity, notes: NO_NOTES, replay });
        for (const outcome of await run.outcomes) this.#tally.done(outcome, atMs);
      }
      if (unfinished.length === 0 || this.#tally.save()) dropJournal(path);
    } catch (error) {
      const why = `the journal of an interrupted rotation cannot be used: ${describeError(error)}`;
      this.#tally.fail(path, why, `look at ${path}, and remove it when it is not telltale's`);
    }
  }

  /**
   * Rotates what is due of a stanza's logs, and runs what belongs to the stanza as a whole where all of it is blocked. Compression
   * may still be going on when this returns; `settle` waits for it.
   */
  async stanza(stanza: LogStanza, plans: readonly LogPlan[]): Promise<void> {
    const due = plans.filter((plan) => plan.verdict === "rotate");
    this.#options.progress?.planned(due);
    if (due.length === 0) {
      const blocked = plans.filter((plan) => plan.blocked);
      const idle = { ...this.#context, identity: null, notes: NO_NOTES, replay: null };
      await this.#unsettled.add((await executeStanza(blocked, idle)).outcomes, blocked.length);
      return;
    }
    if (stanza.settings.copy === "copytruncate") this.#tally.warn(holeWarnings(due));
    const context = { ...this.#context, identity: stanza.settings.su, notes: this.#begin(due), replay: null };
    await this.#unsettled.add((await executeStanza(due, context)).outcomes, due.length);
  }

  /** Waits until everything is done. */
  async settle(): Promise<void> {
    await this.#unsettled.all();
  }

  /** Ends the journal. @param done whether all it tells of is done, and the state saved; otherwise the next run finishes it */
  endJournal(done: boolean): void {
    if (done) this.#journal?.close();
    else this.#journal?.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#halt);
    await this.#threads[Symbol.asyncDispose]();
    this.#directories[Symbol.dispose]();
  }

  // A full disk is when rotation is needed most, so it goes on without a journal when there can be none.
  #begin(due: readonly LogPlan[]): Notes {
    const { journalPath, now } = this.#options;
    if (journalPath === null) return NO_NOTES;
    try {
      this.#journal ??= new Journal(journalPath);
      return this.#journal.begin(due, now.getTime());
    } catch (error) {
      this.#tally.unjournalled(error);
      return NO_NOTES;
    }
  }
}

// Compression may still be going on for logs that were renamed long ago. More of them than this wait, so that memory does
// not hold the plans of all.
const MAX_UNSETTLED_LOGS = 2 * BATCH_LOGS;

/** Outcomes that are still to come, told in the order in which their rotations began. */
class Unsettled {
  readonly #tally: Tally;
  #last: Promise<void> = Promise.resolve();
  #logs = 0;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Takes in the outcomes of so many logs; waits while too many are unsettled. */
  async add(outcomes: Promise<readonly LogOutcome[]>, logs: number): Promise<void> {
    this.#logs += logs;
    const before = this.#last;
    this.#last = outcomes.then(async (settled) => {
      await before;
      for (const outcome of settled) this.#tally.done(outcome);
      this.#logs -= logs;
    });
    if (this.#logs > MAX_UNSETTLED_LOGS) await this.#last;
  }

  async all(): Promise<void> {
    await this.#last;
  }
}
