// Decides when to rotate and when to look for logs that nobody rotates: by the clock, and as soon as a log is too large.
// The work itself is done by jobs.
import { statSync } from "node:fs";
import { type Clock, systemClock } from "../core/clock.ts";
import { describeError, MissingPartError } from "../core/errors.ts";
import type { Event, EventBody } from "../core/events.ts";
import type { UncoveredLog } from "../rotate/run.ts";
import type { RotateResult } from "./jobs/rotate.ts";
import { type RunningJob, startJob } from "./jobs.ts";
import { type Repetition, repeat } from "./schedule.ts";
import type { Settings } from "./settings.ts";

// A log with a size limit is looked at this often: at 100 MB/s, a disk is not full within it. One look is one stat a
// log; where there are so many logs that looking would cost over a hundredth of the time, it is done less often.
const SIZE_LOOK_MS = 1_000;
const SIZE_LOOK_SHARE = 100;
// A log that is still too large after its rotation (minage, a failing script) is left alone this long.
const SIZE_RETRY_MS = 600_000;
// A look is a process of some 0.2 s of CPU time: a five-hundredth of a core at this pace.
const UNCOVERED_LOOK_MS = 120_000;

/** Who hears of it. */
export type RotationEars = {
  /** What a job said, stamped when it happened. */
  event(event: Event): void;
  emit(body: EventBody): void;
  /** All logs that are written and not covered, each time they were looked for. */
  uncovered(found: readonly UncoveredLog[]): void;
};

export type RunningRotation = {
  /** For the status block. */
  describe(): readonly string[];
  stop(): Promise<void>;
};

export class RotationKeeper implements RunningRotation {
  readonly #settings: Settings;
  readonly #ears: RotationEars;
  readonly #clock: Clock;
  readonly #looks: readonly Repetition[];
  readonly #triedAt = new Map<string, number>();
  #last: RotateResult | null = null;
  #faultsTold = "[]";
  #nextSizeLookMs = 0;
  #job: RunningJob<unknown> | null = null;
  // One job at a time, whoever asked for it.
  #busy: Promise<void>;
  #stopping = false;

  /**
   * Begins with a first look at everything.
   * @throws MissingPartError when there is no configuration to rotate by
   */
  static async start(settings: Settings, ears: RotationEars, clock = systemClock): Promise<RotationKeeper> {
    if (settings.rotateConfigs.length === 0) {
      throw new MissingPartError(
        "rotate",
        `${settings.config.rotate.config.join(", ")} is not there`,
        "apt install logrotate for Debian's, or name yours under [rotate] config",
      );
    }
    const keeper = new RotationKeeper(settings, ears, clock);
    return keeper;
  }

  private constructor(settings: Settings, ears: RotationEars, clock: Clock) {
    this.#settings = settings;
    this.#ears = ears;
    this.#clock = clock;
    this.#busy = Promise.resolve();
    this.#looks = [
      repeat(settings.config.rotate.every, clock, () => this.#rotate()),
      repeat(SIZE_LOOK_MS, clock, () => this.#lookAtSizes()),
      repeat(UNCOVERED_LOOK_MS, clock, () => this.#lookForUncovered()),
    ];
    void this.#rotate();
    void this.#lookForUncovered();
  }

  describe(): readonly string[] {
    const { rotateConfigs: configs, rotateState } = this.#settings;
    const count = this.#last?.stanzas;
    const stanzas = count === undefined ? "" : `: ${count} ${count === 1 ? "stanza" : "stanzas"}`;
    const next = this.#looks[0]!.nextAt().toTimeString().slice(0, 8);
    return [`${configs.join(", ")}${stanzas}; next look ${next}`, `state ${rotateState}`];
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#job?.stop();
    await Promise.all([this.#busy, ...this.#looks.map((look) => look.stop())]);
  }

  #rotate(only?: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      const order = { settings: this.#settings, ...(only && { only }) };
      const job = startJob<RotateResult>("rotate", order, this.#ears.event);
      this.#job = job;
      this.#last = await job.result;
      const faults = JSON.stringify(this.#last.faults);
      if (faults === this.#faultsTold) return;
      this.#faultsTold = faults;
      if (this.#last.faults.length > 0) this.#ears.emit({ type: "config.faulty", faults: this.#last.faults });
    });
  }

  #lookForUncovered(): Promise<void> {
    return this.#inTurn(async () => {
      const order = { settings: this.#settings };
      const job = startJob<readonly UncoveredLog[]>("uncovered", order, this.#ears.event);
      this.#job = job;
      this.#ears.uncovered(await job.result);
    });
  }

  async #lookAtSizes(): Promise<void> {
    const began = this.#clock.monotonicMs();
    if (began < this.#nextSizeLookMs) return;
    const logs = this.#tooLarge();
    this.#nextSizeLookMs = began + (this.#clock.monotonicMs() - began) * SIZE_LOOK_SHARE;
    if (logs.length === 0) return;
    await this.#rotate(logs);
    const still = this.#tooLarge();
    for (const log of logs) if (still.includes(log)) this.#triedAt.set(log, this.#clock.monotonicMs());
  }

  #tooLarge(): string[] {
    const now = this.#clock.monotonicMs();
    for (const [log, at] of this.#triedAt) if (now - at > SIZE_RETRY_MS) this.#triedAt.delete(log);
    const limits = this.#last?.limits ?? [];
    return limits
      .filter(({ log, limitBytes }) => !this.#triedAt.has(log) && sizeOf(log) >= limitBytes)
      .map(({ log }) => log);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#busy = this.#busy.then(async () => {
      if (this.#stopping) return;
      try {
        await work();
      } catch (error) {
        if (this.#stopping) return;
        this.#ears.emit({
          type: "rotation.failed",
          log: this.#settings.rotateConfigs.join(", "),
          why: describeError(error),
          mend: "see telltale rotate --plan",
        });
      } finally {
        this.#job = null;
      }
    });
    return this.#busy;
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0; // It went away or was never there: nothing to rotate for its size.
  }
}
