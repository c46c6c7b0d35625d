// Decides when to rotate and when to look for logs that nobody rotates: by the clock, and as soon as a log is too large.
// The work itself is done by jobs.
import { dirname } from "node:path";
import { type Clock, systemClock } from "../core/clock.ts";
import { describeError, MissingPartError } from "../core/errors.ts";
import type { Event, EventBody } from "../core/events.ts";
import { glance } from "../disk/glance.ts";
import type { CoverageReport } from "../disk/types.ts";
import { SizeWatch } from "../rotate/sizes.ts";
import { DiskKeeper } from "./disk-keeper.ts";
import type { RotateResult } from "./jobs/rotate.ts";
import { type RunningJob, startJob } from "./jobs.ts";
import type { Outlook } from "./part.ts";
import { type Repetition, repeat, runsInFile } from "./schedule.ts";
import type { Settings } from "./settings.ts";
import { shortTime } from "./terminal.ts";

// A thorough look is a process of its own, and is made when a cheap look sees other files being written, or after this long.
const COVERAGE_LOOK_MS = 900_000;
// Together they cost a thousandth of a core at the most where files come and go all the time. What is new after a while without is
// looked at at once: so much may be owed.
const COVERAGE_SHARE = 1_000;
const COVERAGE_CREDIT_MS = 600_000;

// A disk that presses for longer than this is rotated beside.
const RELIEF_PATIENCE_MS = 60_000;

/** Who hears of it. */
export type RotationEars = {
  /** What a job said, stamped when it happened. */
  event(event: Event): void;
  emit(body: EventBody): void;
  /** What was found of logs that nobody keeps in bounds, each time it was looked for. */
  uncovered(found: CoverageReport): void;
};

export type RunningRotation = {
  /** For the status block. */
  describe(): readonly string[];
  outlook(): Outlook;
  stop(): Promise<void>;
};

export class RotationKeeper implements RunningRotation {
  readonly #settings: Settings;
  readonly #ears: RotationEars;
  readonly #clock: Clock;
  readonly #looks: readonly Repetition[];
  readonly #disk: DiskKeeper;
  readonly #sizes = new SizeWatch({ onTooLarge: (log) => this.#tooLarge(log) });
  readonly #large = new Set<string>();
  #last: RotateResult | null = null;
  #faultsTold = "[]";
  // When what was spent on looks will have become that share.
  #coveragePaidMs = 0;
  #lastCoverageLookMs = Number.NEGATIVE_INFINITY;
  #glanced = "";
  #job: RunningJob<unknown> | null = null;
  // One job at a time, whoever asked for it.
  #busy: Promise<void>;
  #stopping = false;

  /**
   * Begins with a first look at everything.
   * @throws MissingPartError when there is no configuration to rotate by
   */
  static async start(settings: Settings, ears: RotationEars, clock = systemClock): Promise<RotationKeeper> {
    if (settings.config.rotate.enabled && settings.rotateConfigs.length === 0) {
      throw new MissingPartError(
        "rotate",
        `${settings.config.rotate.config.join(", ")} is not there`,
        "apt install logrotate for Debian's, or name yours under [rotate] config; with enabled = false there, logs are only looked at",
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
    this.#disk = new DiskKeeper(settings, ears, clock);
    // A rhythm without a calendar begins with a look at once; a time of day is kept, or made up for. Either way the sizes that
    // logs may reach are known from the start.
    const { every } = settings.config.rotate;
    const atOnce = "everyMs" in every;
    this.#looks = [
      repeat(every, clock, () => this.#rotate(), {
        ...(!atOnce && { memory: runsInFile(`${settings.rotateState}.last-look`) }),
        jitterMs: settings.jitterMs,
      }),
      repeat(settings.config.disk.every, clock, () => this.#lookForUncovered()),
    ];
    void this.#rotate(atOnce ? undefined : []);
    void this.#lookForUncovered();
  }

  describe(): readonly string[] {
    const { rotateConfigs: configs, rotateState, config } = this.#settings;
    if (!config.rotate.enabled) {
      const which = configs.length === 0 ? "nobody rotates" : `${configs.join(", ")} does not cover`;
      return [`rotate.enabled = false; logs that ${which} are named all the same`];
    }
    const count = this.#last?.stanzas;
    const stanzas = count === undefined ? "" : `: ${count} ${count === 1 ? "stanza" : "stanzas"}`;
    const next = shortTime(this.#looks[0]!.nextAt(), this.#clock.now());
    return [`${configs.join(", ")}${stanzas}; next look ${next}`, `state ${rotateState}`];
  }

  outlook(): Outlook {
    if (!this.#settings.config.rotate.enabled) return { next: [] };
    return { next: [{ what: "rotate", at: this.#looks[0]!.nextAt() }] };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#sizes[Symbol.dispose]();
    this.#job?.stop();
    await Promise.all([this.#busy, this.#disk.stop(), ...this.#looks.map((look) => look.stop())]);
  }

  #rotate(only?: readonly string[]): Promise<void> {
    if (!this.#settings.config.rotate.enabled) return Promise.resolve();
    return this.#inTurn(async () => {
      // Both rotate, and one holds the state meanwhile.
      await this.#disk.atRest(RELIEF_PATIENCE_MS);
      const order = { settings: this.#settings, ...(only && { only }) };
      const job = startJob<RotateResult>("rotate", order, this.#ears.event);
      this.#job = job;
      this.#last = await job.result;
      if (!this.#stopping) this.#sizes.watch(this.#last.limits);
      const faults = JSON.stringify(this.#last.faults);
      if (faults === this.#faultsTold) return;
      this.#faultsTold = faults;
      if (this.#last.faults.length > 0) this.#ears.emit({ type: "config.faulty", faults: this.#last.faults });
    });
  }

  #lookForUncovered(): Promise<void> {
    const began = this.#clock.monotonicMs();
    if (!this.#settings.config.disk.enabled || this.#coveragePaidMs - began > COVERAGE_CREDIT_MS)
      return Promise.resolve();
    return this.#inTurn(async () => {
      const before = process.cpuUsage();
      const seen = await glance();
      const spent = process.cpuUsage(before);
      this.#spendOnCoverage((spent.user + spent.system) / 1_000);
      if (seen === this.#glanced && began < this.#lastCoverageLookMs + COVERAGE_LOOK_MS) return;
      this.#glanced = seen;
      this.#lastCoverageLookMs = began;
      const order = { settings: this.#settings };
      const job = startJob<CoverageReport>("uncovered", order, this.#ears.event);
      this.#job = job;
      const report = await job.result;
      this.#spendOnCoverage(report.looked.cpuMs);
      this.#disk.follow(directoriesOf(report.logs));
      this.#ears.uncovered(report);
    });
  }

  #spendOnCoverage(cpuMs: number): void {
    const paidMs = Math.max(this.#coveragePaidMs, this.#clock.monotonicMs());
    this.#coveragePaidMs = paidMs + cpuMs * COVERAGE_SHARE;
  }

  // Logs that are told of while a job runs, or at one time, are rotated by one job.
  #tooLarge(log: string): void {
    this.#large.add(log);
    if (this.#large.size > 1) return;
    void this.#busy.then(() => {
      const logs = [...this.#large];
      this.#large.clear();
      return this.#rotate(logs);
    });
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

// Logs lie in few directories; past this many, the file systems of the others are those of these as a rule.
const MAX_DIRECTORIES = 64;

function directoriesOf(logs: readonly string[]): string[] {
  return [...new Set(logs.map((log) => dirname(log)))].slice(0, MAX_DIRECTORIES);
}
