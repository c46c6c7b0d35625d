// The rotation room's door: load the configuration, plan, run. What runs is what was planned, stanza by stanza, each planned
// when its turn comes so that it sees what the ones before it did.
import { availableParallelism } from "node:os";
import { type ConfigFault, describeError, MissingPartError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import { BATCH_LOGS, batchesOf } from "./batches.ts";
import { Directories } from "./directories.ts";
import { type ExecuteContext, executeStanza, type LogOutcome, makePool } from "./execute.ts";
import { Listings } from "./glob/expand.ts";
import { withIdentity } from "./identity.ts";
import { inventory } from "./inventory.ts";
import { dropJournal, Journal, NO_NOTES, type Notes, readJournal } from "./journal.ts";
import { faultsMatter, loadConfigs } from "./load.ts";
import { lockState, StateBusyError, type StateLock } from "./lock.ts";
import { DEFAULT_MAIL_COMMAND } from "./mail.ts";
import { formatStamp } from "./names/match.ts";
import { planStanza } from "./plan.ts";
import { SqueezeThreads } from "./squeeze/threads.ts";
import { loadState } from "./state.ts";
import { Tally } from "./tally.ts";
import type { LogPlan, LogStanza, RotateOptions, Rotation, RotationSummary } from "./types.ts";
import { holeWarnings } from "./writers.ts";

export { coveredBy } from "./coverage.ts";
export type { LogPlan, LogStanza, RotateOptions, Rotation, RotationSummary } from "./types.ts";

/** Reads the configuration. Never throws for what a configuration says: that is in `faults`. */
export async function loadRotation(
  options: Pick<RotateOptions, "configs"> & Partial<RotateOptions>,
): Promise<Rotation> {
  return loadConfigs(options.configs);
}

/** What a run now would do, log by log, in order. Changes nothing. */
export async function planRotations(rotation: Rotation, options: RotateOptions): Promise<readonly LogPlan[]> {
  const { stamps } = loadState(options.statePath);
  const now = options.now ?? new Date();
  const listings = new Listings();
  return rotation.stanzas.flatMap((stanza) =>
    planLogs(stanza, wantedLogs(stanza, options), { stamps, now, options, listings }),
  );
}

function wantedLogs(stanza: LogStanza, { only }: RotateOptions): readonly string[] {
  return only === undefined ? stanza.logs : stanza.logs.filter((log) => only.includes(log));
}

type Planning = {
  readonly stamps: ReadonlyMap<string, number>;
  readonly now: Date;
  readonly options: RotateOptions;
  readonly listings: Listings;
};

function planLogs(stanza: LogStanza, logs: readonly string[], planning: Planning): LogPlan[] {
  const { stamps, now, options, listings } = planning;
  const facts = withIdentity(stanza.settings.su, () => inventory(stanza, logs, stamps, listings));
  return planStanza(stanza, facts, {
    now,
    force: options.force ?? false,
    privileged: process.getuid?.() === 0,
    strict: options.strict ?? false,
  });
}

/**
 * Rotates what is due, once what an earlier run left unfinished is finished. One log's failure is an event and a count, never
 * an exception; a log that failed keeps its old stamp and is tried again next time.
 */
export async function runRotations(
  rotation: Rotation,
  options: RotateOptions,
  emit: Emit,
): Promise<RotationSummary> {
  const { signal, statePath } = options;
  let lock: StateLock;
  try {
    lock = await lockState(statePath, options.lock ?? "fail");
  } catch (error) {
    const busy = error instanceof StateBusyError;
    const mend =
      busy || error instanceof MissingPartError
        ? error.mend
        : "check the directory of the state file and its rights";
    const why = `nothing rotated: ${busy ? "" : `error opening state file ${statePath}: `}${describeError(error)}`;
    emit({ type: "rotation.failed", log: statePath, why, mend });
    return { logs: 0, rotated: 0, failed: 0, skipped: 0, bytesFreed: 0, exitStatus: 3 };
  }
  using _held = lock;
  if (lock.worldReadable) emit({ type: "config.faulty", faults: [unlockedFault(statePath)] });
  const now = options.now ?? new Date();
  const state = loadState(statePath);
  if (state.faults.length > 0) emit({ type: "config.faulty", faults: state.faults });
  const tally = new Tally(state.stamps, statePath, now, emit);
  using directories = new Directories();
  const cores = options.compressors ?? availableParallelism();
  await using threads = new SqueezeThreads(cores);
  const halt = (): void => threads.halt();
  signal?.addEventListener("abort", halt);
  using _heard = { [Symbol.dispose]: () => signal?.removeEventListener("abort", halt) };
  const context = {
    directories,
    threads,
    progress: options.progress,
    stamp: formatStamp("%Y%m%d%H", now),
    mailCommand: options.mailCommand ?? DEFAULT_MAIL_COMMAND,
    inherit: options.inherit ?? false,
    scriptLog: options.scriptLog,
    signal,
    pool: makePool(cores),
    lightPool: makePool(LIGHT_COMPRESSIONS),
  };
  options.progress?.begin(countLogs(rotation, options), () => threads.bytesDone);
  const journalPath = statePath === "/dev/null" ? null : `${statePath}.journal`;
  await finishEarlier(journalPath, context, tally);
  let journal: Journal | null = null;
  const unsettled = new Unsettled(tally);
  for (const [stanza, logs, listings] of batches(rotation, options)) {
    if (signal?.aborted) break;
    const plans = planLogs(stanza, logs, { stamps: state.stamps, now, options, listings });
    options.observe?.(stanza, plans);
    for (const plan of plans) tally.planned(plan);
    const due = plans.filter((plan) => plan.verdict === "rotate");
    options.progress?.planned(due);
    const blocked = plans.filter((plan) => plan.blocked);
    if (due.length === 0) {
      options.progress?.walked(plans.length);
      if (blocked.length === 0) continue;
      const idle = { ...context, identity: null, notes: NO_NOTES, replay: null };
      await unsettled.add((await executeStanza(blocked, idle)).outcomes, blocked.length);
      continue;
    }
    if (stanza.settings.copy === "copytruncate") tally.warn(holeWarnings(due));
    if (journalPath !== null) journal ??= openJournal(journalPath, tally);
    const notes = beginNotes(journal, due, now, tally);
    const run = await executeStanza(due, { ...context, identity: stanza.settings.su, notes, replay: null });
    options.progress?.walked(plans.length);
    await unsettled.add(run.outcomes, due.length);
  }
  await unsettled.all();
  if (options.only === undefined && !signal?.aborted) tally.prune();
  const saved = tally.save();
  await tally.mailErrors(context.mailCommand);
  if (saved && !signal?.aborted) journal?.close();
  else journal?.leave();
  return tally.summary(faultsMatter(rotation.faults) || state.faults.length > 0);
}

function countLogs(rotation: Rotation, options: RotateOptions): number {
  return rotation.stanzas.reduce((sum, stanza) => sum + wantedLogs(stanza, options).length, 0);
}

// The stanzas, large ones in batches; what is listed of a directory serves all batches of one stanza.
function* batches(
  rotation: Rotation,
  options: RotateOptions,
): Generator<readonly [LogStanza, readonly string[], Listings]> {
  for (const stanza of rotation.stanzas) {
    const logs = wantedLogs(stanza, options);
    const listings = new Listings();
    for (const batch of options.whole === true ? [logs] : batchesOf(stanza, logs))
      yield [stanza, batch, listings];
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

function unlockedFault(file: string): ConfigFault {
  return {
    file,
    line: 0,
    key: "",
    message: `state file ${file} is world-readable and thus can be locked from other unprivileged users`,
    mend: `chmod 0640 ${file}`,
    consequence: "Skipping lock acquisition",
  };
}

// So many small files are open at once, three batches of them: one that a thread works at, one that waits, one that is finished.
const LIGHT_COMPRESSIONS = 192;

type RunContext = Omit<ExecuteContext, "identity" | "notes" | "replay">;

// Does the rest of what a run that was cut short had begun, and stamps it with that run's moment.
async function finishEarlier(path: string | null, context: RunContext, tally: Tally): Promise<void> {
  if (path === null) return;
  try {
    const unfinished = readJournal(path);
    for (const { plans, replay, atMs } of unfinished) {
      const identity = plans[0]?.stanza.su ?? null;
      const run = await executeStanza(plans, { ...context, identity, notes: NO_NOTES, replay });
      for (const outcome of await run.outcomes) tally.done(outcome, atMs);
    }
    if (unfinished.length === 0 || tally.save()) dropJournal(path);
  } catch (error) {
    const why = `the journal of an interrupted rotation cannot be used: ${describeError(error)}`;
    tally.fail(path, why, `look at ${path}, and remove it when it is not telltale's`);
  }
}

function beginNotes(journal: Journal | null, due: readonly LogPlan[], now: Date, tally: Tally): Notes {
  try {
    return journal?.begin(due, now.getTime()) ?? NO_NOTES;
  } catch (error) {
    tally.unjournalled(error);
    return NO_NOTES;
  }
}

// A full disk is when rotation is needed most, so it goes on without a journal when there can be none.
function openJournal(path: string, tally: Tally): Journal | null {
  try {
    return new Journal(path);
  } catch (error) {
    tally.unjournalled(error);
    return null;
  }
}
