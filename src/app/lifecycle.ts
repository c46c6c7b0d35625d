// Starts the parts, keeps them apart when one fails, reloads and stops them.
import { type Clock, systemClock } from "../core/clock.ts";
import { describeError, MissingPartError } from "../core/errors.ts";
import type { Part } from "../core/events.ts";
import { every } from "../core/rounds.ts";
import type { PacketCounter } from "../respond/packets.ts";
import { openStore, type Store } from "../store/store.ts";
import { Bus } from "./bus.ts";
import { changesBetween, freshFaults } from "./changes.ts";
import type { ReloadOutcome } from "./control/types.ts";
import type { Outlook, PartContext, PartDefinition, RunningPart } from "./part.ts";
import type { Powers } from "./powers.ts";
import { type Repetition, repeat } from "./schedule.ts";
import type { Settings } from "./settings.ts";
import { SleepWatch } from "./sleep.ts";
import { TOPOLOGY } from "./topology.ts";
import { VERSION } from "./version.ts";

// A part that failed is tried again this often: an interface comes up, somebody installs nftables.
const RETRY_MS = 30_000;
// What is over age leaves the history once a day.
const PURGE_MS = 86_400_000;
// Every part gets this long to stop; a shutdown must not hang on one of them.
const STOP_MS = 1_500;
// At its end the guard writes down what each block has stopped: for a hundred thousand one or two seconds, on a busy host more.
const STOP_RESPONDING_MS = 10_000;

type PartState = {
  readonly definition: PartDefinition;
  running: RunningPart | null;
  /** Why it does not run: switched off, or failed (then with a mend). */
  off: string;
  mend: string;
  failed: boolean;
};

export type StatusRow = { readonly part: Part; readonly lines: readonly string[]; readonly off: boolean };

export class Guard {
  readonly bus: Bus;
  readonly #clock: Clock;
  readonly #powers: Powers;
  readonly #parts: PartState[];
  #settings: Settings;
  #store: Store;
  #storeFault: MissingPartError | null = null;
  #retry: Disposable | undefined;
  #purging: Repetition | undefined;
  #busy: Promise<unknown> = Promise.resolve();
  #stopping = false;

  constructor(settings: Settings, clock: Clock, powers: Powers) {
    this.#powers = powers;
    this.#settings = settings;
    this.#clock = clock;
    this.bus = new Bus(settings.host, clock);
    this.#parts = TOPOLOGY.map((definition) => ({
      definition,
      running: null,
      off: "not started",
      mend: "",
      failed: false,
    }));
    this.#store = this.#openStore();
  }

  /** Starts every part that can start. Never throws for one that cannot. */
  async start(): Promise<void> {
    this.bus.attach(this.#store);
    for (const notice of this.#store.notices) this.bus.emit(notice);
    if (this.#storeFault !== null) {
      this.bus.emit({
        type: "part.failed",
        part: "store",
        why: this.#storeFault.message,
        mend: this.#storeFault.mend,
        stillRuns: "everything, but nothing is remembered across a restart",
      });
    }
    this.#tellFaults(this.#settings);
    for (const part of this.#parts) await this.#startPart(part);
    const purge = async (): Promise<void> => {
      try {
        this.#store.purge(this.#clock.now());
      } catch (error) {
        // A store that refuses is told of by the bus; what is over age goes another day.
        if (!(error instanceof MissingPartError)) throw error;
      }
    };
    await purge();
    this.#purging = repeat(PURGE_MS, this.#clock, purge);
    const parts = this.status().map(({ part, lines, off }) => ({ part, on: !off, what: lines[0] ?? "" }));
    this.bus.emit({ type: "guard.started", version: VERSION, mode: this.#settings.mode, parts });
    const sleep = new SleepWatch((ms) => systemClock.sleptFor(ms));
    const look = (): void => {
      sleep.look();
      void this.#oneAtATime(() => this.#retryFailed());
    };
    this.#retry = every(RETRY_MS, look, { holds: true });
  }

  /**
   * Takes up a configuration that was read again. One with new faults is refused whole: the old one stays.
   */
  reload(next: Settings): Promise<ReloadOutcome> {
    return this.#oneAtATime(async () => {
      const fresh = freshFaults(this.#settings, next);
      if (fresh.length > 0) {
        this.bus.emit({ type: "config.rejected", faults: fresh });
        return { faults: fresh };
      }
      const changes = changesBetween(this.#settings, next);
      const sentryChanged = changes.some((change) => /^(sentry|tripwire)/.test(change));
      this.#settings = next;
      for (const part of this.#parts) {
        // The sentry remembers who probed what; it is restarted only when it would do something else.
        if (part.definition.name === "sentry" && !sentryChanged && part.running !== null) continue;
        await this.#stopPart(part);
        await this.#startPart(part);
      }
      this.bus.emit({ type: "config.reloaded", changes });
      return { changes };
    });
  }

  /** Stops every part and closes the store; blocks stay in force. */
  async stop(because: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#retry?.[Symbol.dispose]();
    void this.#purging?.stop();
    const stopped = this.#busy.then(() =>
      Promise.all(
        this.#parts.map((part) =>
          inTime(this.#stopPart(part), part.definition.name === "respond" ? STOP_RESPONDING_MS : STOP_MS),
        ),
      ),
    );
    await inTime(stopped, STOP_RESPONDING_MS);
    this.bus.emit({ type: "guard.stopped", because });
    this.bus.close();
    this.#store.close();
  }

  /** An error that nobody caught: blames the part whose code threw it and restarts that one. False: nobody's. */
  survive(error: unknown): boolean {
    const stack = error instanceof Error ? (error.stack ?? "") : "";
    const room = /\/src\/(?:app\/parts\/)?(sentry|check|rotate|respond|report|sources\/\w+)\b/.exec(
      stack,
    )?.[1];
    if (room === undefined || this.#stopping) return false;
    const name = room === "sources/packets" ? "sentry" : room.startsWith("sources/") ? "check" : room;
    const part = this.#parts.find((known) => known.definition.name === name)!;
    void this.#oneAtATime(async () => {
      await this.#stopPart(part);
      this.#failed(part, error);
    });
    return true;
  }

  /** What it runs by. */
  get settings(): Settings {
    return this.#settings;
  }

  get store(): Store {
    return this.#store;
  }

  /** What the running parts do next, and what waits. */
  outlooks(): Outlook[] {
    return this.#parts.flatMap(({ running }) => running?.outlook?.() ?? []);
  }

  /** Tells what blocks have stopped; null where nobody blocks, or only somebody who cannot say it of some. */
  get packetsOf(): PacketCounter | null {
    return this.#parts.find(({ running }) => running?.packetsOf !== undefined)?.running?.packetsOf ?? null;
  }

  /** One row a part, for the status block. */
  status(): StatusRow[] {
    const rows: StatusRow[] = this.#parts.map(({ definition, running, off, mend }) => ({
      part: definition.name,
      lines: running?.describe() ?? [`off: ${off}`, ...(mend === "" ? [] : [`mend: ${mend}`])],
      off: running === null,
    }));
    const store =
      this.#storeFault === null
        ? [this.#settings.storeFile]
        : [`off: ${this.#storeFault.message}; kept in memory`, `mend: ${this.#storeFault.mend}`];
    return [
      ...rows,
      { part: "store", lines: store, off: this.#storeFault !== null },
      { part: "listener", lines: this.#powers.describe(), off: false },
    ];
  }

  #openStore(): Store {
    const { storeFile, config } = this.#settings;
    try {
      return openStore(storeFile, {
        maxEvents: config.store.max_events,
        maxAgeMs: config.store.keep,
        clock: this.#clock,
        onNotice: this.bus.emit,
      });
    } catch (error) {
      if (!(error instanceof MissingPartError)) throw error;
      this.#storeFault = error;
      return openStore(":memory:", { maxEvents: 10_000 });
    }
  }

  #tellFaults(settings: Settings): void {
    if (settings.faults.length > 0) this.bus.emit({ type: "config.faulty", faults: settings.faults });
  }

  #context(): PartContext {
    return {
      settings: this.#settings,
      store: this.#store,
      bus: this.bus,
      clock: this.#clock,
      powers: this.#powers,
    };
  }

  async #startPart(part: PartState): Promise<void> {
    try {
      const started = await part.definition.start(this.#context());
      if ("off" in started) part.off = started.off;
      else part.running = started;
      part.mend = "";
      if (part.failed && part.running !== null) {
        this.bus.emit({
          type: "part.recovered",
          part: part.definition.name,
          how: part.running.describe()[0] ?? "",
        });
      }
      part.failed = false;
    } catch (error) {
      this.#failed(part, error);
    }
  }

  #failed(part: PartState, error: unknown): void {
    const why = describeError(error);
    const known = part.failed && part.off === why;
    part.failed = true;
    part.off = why;
    part.mend =
      error instanceof MissingPartError
        ? error.mend
        : "see telltale doctor; this is a defect of telltale: please report it";
    if (known) return;
    const { name, stillRuns } = part.definition;
    this.bus.emit({ type: "part.failed", part: name, why, mend: part.mend, stillRuns });
  }

  async #stopPart(part: PartState): Promise<void> {
    const { running } = part;
    part.running = null;
    try {
      await running?.stop();
    } catch (error) {
      this.#failed(part, error);
    }
  }

  async #retryFailed(): Promise<void> {
    for (const part of this.#parts) {
      if (part.failed && part.running === null && !this.#stopping) await this.#startPart(part);
    }
  }

  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#busy.then(work);
    this.#busy = next.catch(() => undefined); // the caller of this very work hears of its failure
    return next;
  }
}

/** Resolves when the work is done, or this much later if it is not. */
async function inTime(work: Promise<unknown>, ms: number): Promise<void> {
  await Promise.race([work, new Promise<void>((resolve) => setTimeout(resolve, ms).unref())]);
}
