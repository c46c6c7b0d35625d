// Counts, speaks and keeps the stamps of one run. A log is stamped only when it was rotated; a failure is an event.
import { describeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import { mailErrors, type RotationFailure } from "./errorsmail.ts";
import type { LogOutcome } from "./execute.ts";
import { startOfHour } from "./plan.ts";
import { pruneState, saveState } from "./state.ts";
import type { LogPlan, RotationSummary } from "./types.ts";

const MEND_STATE = "check the directory of the state file, its rights and its free space";
const MEND_BEFORE = "mend the cause: the log is tried again at the next run";
const MEND_AFTER = "the log itself was rotated; mend the cause, and the rest is done at its next rotation";

export class Tally {
  readonly #stamps: Map<string, number>;
  readonly #statePath: string;
  readonly #now: Date;
  readonly #emit: Emit;
  readonly #used = new Set<string>();
  /** Address of `errors` → what is to be mailed there. */
  readonly #toMail = new Map<string, RotationFailure[]>();
  readonly #warnings = new Map<string, string>();
  #logs = 0;
  #rotated = 0;
  #failed = 0;
  #skipped = 0;
  #bytesFreed = 0;

  constructor(stamps: Map<string, number>, statePath: string, now: Date, emit: Emit) {
    this.#stamps = stamps;
    this.#statePath = statePath;
    this.#now = now;
    this.#emit = emit;
  }

  planned(plan: LogPlan): void {
    this.#logs++;
    if (plan.seen !== null) this.#used.add(plan.log);
    // A directory that a pattern matches is no log, and nothing is remembered of it.
    const isLog = plan.seen?.kind !== "directory";
    if (isLog && !this.#stamps.has(plan.log)) this.#stamps.set(plan.log, startOfHour(this.#now));
    if (plan.verdict === "skip") this.#skipped++;
    if (plan.verdict === "fail") this.fail(plan.log, plan.why, plan.mend, plan.stanza.errors);
  }

  /** Keeps what is to be said of a log when it has been rotated. */
  warn(warnings: ReadonlyMap<string, string>): void {
    for (const [log, warning] of warnings) this.#warnings.set(log, warning);
  }

  /** @param atMs the moment to stamp a rotated log with */
  done({ plan, rotated, failure, bytesAtRisk, remark }: LogOutcome, atMs = this.#now.getTime()): void {
    const { log, finalPath, seen, why } = plan;
    const warning = [this.#warnings.get(log), remark ?? undefined]
      .filter((text) => text !== undefined)
      .join("; ");
    if (rotated) {
      this.#stamps.set(log, atMs);
      this.#rotated++;
      this.#emit({
        type: "log.rotated",
        log,
        to: finalPath ?? "",
        sizeBytes: seen?.sizeBytes ?? 0,
        because: why,
        ...(bytesAtRisk > 0 && { bytesAtRisk }),
        ...(warning !== "" && { warning }),
      });
    }
    if (failure === null) this.#bytesFreed += plan.bytesFreed;
    else this.fail(log, failure, rotated ? MEND_AFTER : MEND_BEFORE, plan.stanza.errors);
  }

  /** @param address whom the stanza's `errors` names, or null */
  fail(log: string, why: string, mend: string, address: string | null = null): void {
    this.#failed++;
    this.#emit({ type: "rotation.failed", log, why, mend });
    if (address === null) return;
    const failures = this.#toMail.get(address) ?? [];
    failures.push({ log, why, mend });
    this.#toMail.set(address, failures);
  }

  /** Says that the run goes on without a journal. */
  unjournalled(error: unknown): void {
    const why = `no journal can be kept, so an interrupted rotation could not be finished: ${describeError(error)}`;
    this.fail(`${this.#statePath}.journal`, why, MEND_STATE);
  }

  /** Sends what `errors` asked to be sent. */
  async mailErrors(mailCommand: readonly string[]): Promise<void> {
    for (const [address, failures] of this.#toMail) {
      const why = await mailErrors(address, failures, mailCommand);
      if (why !== null)
        this.fail(
          this.#statePath,
          `the errors could not be mailed to ${address}: ${why}`,
          "check the mail command",
        );
    }
  }

  /** Forgets logs that are long gone; for when every log has been looked at. */
  prune(): void {
    pruneState(this.#stamps, this.#used, this.#now);
  }

  /** Writes the state; whether that worked. */
  save(): boolean {
    try {
      saveState(this.#statePath, this.#stamps);
      return true;
    } catch (error) {
      const why = `the rotation state cannot be written: ${describeError(error)}`;
      this.fail(this.#statePath, why, MEND_STATE);
      return false;
    }
  }

  summary(faulty: boolean): RotationSummary {
    return {
      logs: this.#logs,
      rotated: this.#rotated,
      failed: this.#failed,
      skipped: this.#skipped,
      bytesFreed: this.#bytesFreed,
      exitStatus: faulty || this.#failed > 0 ? 1 : 0,
    };
  }
}
