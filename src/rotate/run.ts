// The rotation room's door: load the configuration, plan, run. What runs is what was planned, stanza by stanza, each planned
// when its turn comes so that it sees what the ones before it did.
import { availableParallelism } from "node:os";
import { describeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import { Directories } from "./directories.ts";
import { executeStanza, type LogOutcome, makePool } from "./execute.ts";
import { Listings } from "./glob/expand.ts";
import { withIdentity } from "./identity.ts";
import { inventory } from "./inventory.ts";
import { loadConfigs } from "./load.ts";
import { DEFAULT_MAIL_COMMAND } from "./mail.ts";
import { formatStamp } from "./names/match.ts";
import { planStanza, startOfHour } from "./plan.ts";
import { loadState, pruneState, saveState } from "./state.ts";
import type { LogPlan, LogStanza, RotateOptions, Rotation, RotationSummary } from "./types.ts";

export { coveredBy, type UncoveredLog, uncoveredLogs } from "./coverage.ts";
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
  return rotation.stanzas.flatMap((stanza) => planOne(stanza, stamps, now, options));
}

function planOne(
  stanza: LogStanza,
  stamps: ReadonlyMap<string, number>,
  now: Date,
  options: RotateOptions,
): LogPlan[] {
  const logs =
    options.only === undefined ? stanza.logs : stanza.logs.filter((log) => options.only!.includes(log));
  const facts = withIdentity(stanza.settings.su, () => inventory(stanza, logs, stamps, new Listings()));
  return planStanza(stanza, facts, {
    now,
    force: options.force ?? false,
    privileged: process.getuid?.() === 0,
  });
}

/**
 * Rotates what is due. One log's failure is an event and a count, never an exception; a log that failed keeps its
 * old stamp and is tried again next time.
 */
export async function runRotations(
  rotation: Rotation,
  options: RotateOptions,
  emit: Emit,
): Promise<RotationSummary> {
  const now = options.now ?? new Date();
  const state = loadState(options.statePath);
  if (state.faults.length > 0) emit({ type: "config.faulty", faults: state.faults });
  const tally = new Tally(state.stamps, now, emit);
  using directories = new Directories();
  const context = {
    directories,
    stamp: formatStamp("%Y%m%d%H", now),
    mailCommand: options.mailCommand ?? DEFAULT_MAIL_COMMAND,
    inherit: options.inherit ?? false,
    signal: options.signal,
    pool: makePool(options.compressors ?? availableParallelism()),
  };
  const pending: Promise<readonly LogOutcome[]>[] = [];
  for (const stanza of rotation.stanzas) {
    if (options.signal?.aborted) break;
    const plans = planOne(stanza, state.stamps, now, options);
    for (const plan of plans) tally.planned(plan);
    const run = await executeStanza(plans, { ...context, identity: stanza.settings.su });
    pending.push(run.outcomes);
  }
  for (const outcomes of await Promise.all(pending)) for (const outcome of outcomes) tally.done(outcome);
  tally.save(options.statePath);
  return tally.summary(rotation.faults.length > 0 || state.faults.length > 0);
}

const MEND_BEFORE = "mend the cause: the log is tried again at the next run";
const MEND_AFTER = "the log itself was rotated; mend the cause, and the rest is done at its next rotation";

// Counts, speaks and keeps the stamps of one run.
class Tally {
  readonly #stamps: Map<string, number>;
  readonly #now: Date;
  readonly #emit: Emit;
  readonly #used = new Set<string>();
  #logs = 0;
  #rotated = 0;
  #failed = 0;
  #skipped = 0;
  #bytesFreed = 0;
  #stateFailed = false;

  constructor(stamps: Map<string, number>, now: Date, emit: Emit) {
    this.#stamps = stamps;
    this.#now = now;
    this.#emit = emit;
  }

  planned(plan: LogPlan): void {
    this.#logs++;
    if (plan.seen !== null) this.#used.add(plan.log);
    if (!this.#stamps.has(plan.log)) this.#stamps.set(plan.log, startOfHour(this.#now));
    if (plan.verdict === "skip") this.#skipped++;
    if (plan.verdict === "fail") this.#fail(plan.log, plan.why, plan.mend);
  }

  done({ plan, rotated, failure }: LogOutcome): void {
    const { log, finalPath, seen, why } = plan;
    if (rotated) {
      this.#stamps.set(log, this.#now.getTime());
      this.#rotated++;
      this.#emit({
        type: "log.rotated",
        log,
        to: finalPath ?? "",
        sizeBytes: seen?.sizeBytes ?? 0,
        because: why,
      });
    }
    if (failure === null) this.#bytesFreed += plan.bytesFreed;
    else this.#fail(log, failure, rotated ? MEND_AFTER : MEND_BEFORE);
  }

  #fail(log: string, why: string, mend: string): void {
    this.#failed++;
    this.#emit({ type: "rotation.failed", log, why, mend });
  }

  save(path: string): void {
    pruneState(this.#stamps, this.#used, this.#now);
    try {
      saveState(path, this.#stamps);
    } catch (error) {
      this.#stateFailed = true;
      this.#emit({
        type: "rotation.failed",
        log: path,
        why: `the rotation state cannot be written: ${describeError(error)}`,
        mend: "check the directory of the state file, its rights and its free space",
      });
    }
  }

  summary(faulty: boolean): RotationSummary {
    return {
      logs: this.#logs,
      rotated: this.#rotated,
      failed: this.#failed,
      skipped: this.#skipped,
      bytesFreed: this.#bytesFreed,
      exitStatus: faulty || this.#failed > 0 || this.#stateFailed ? 1 : 0,
    };
  }
}
