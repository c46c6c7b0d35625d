// The privileged half of the guard: small and dull. It starts the listener and keeps it alive, grants what the
// configuration allows, keeps rotation's clock, and reads nothing that a stranger wrote.
import { systemClock } from "../../core/clock.ts";
import type { Event, EventBody } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { every } from "../../core/rounds.ts";
import { openReportFile } from "../../report/routes/file.ts";
import type { Ended } from "../../report/routes/program.ts";
import { HostFactsReader } from "../../respond/facts.ts";
import { openSocket } from "../../sources/packets/capture.ts";
import { Outbox } from "../../warden/outbox.ts";
import { type Handlers, Handover, Refused } from "../../warden/server.ts";
import type { Spawned } from "../../warden/spawn.ts";
import { Supervisor } from "../../warden/supervisor.ts";
import type { Request } from "../../warden/types.ts";
import { Bus } from "../bus.ts";
import { freshFaults } from "../changes.ts";
import type { Controlled, ReloadOutcome } from "../control/types.ts";
import { startJob } from "../jobs.ts";
import { namedLogs } from "../named-logs.ts";
import { smtpPasswordOf, webhookTokensOf } from "../reporting.ts";
import { RotationKeeper } from "../rotation.ts";
import type { Settings } from "../settings.ts";
import { settleSoon } from "../settle.ts";
import type { Account } from "./account.ts";
import type { Briefing } from "./briefing.ts";
import { FactsDesk } from "./facts-desk.ts";
import { FirewallDesk } from "./firewall-desk.ts";
import { listenerCommand } from "./listener-command.ts";
import type { RotationSays } from "./listener-powers.ts";
import { openNamedLog } from "./log-desk.ts";
import { statusOf } from "./overview.ts";

export type WardenOptions = {
  readonly settings: Settings;
  /** Reads the configuration again. */
  readonly gather: () => Settings;
  readonly account: Account;
  readonly json: boolean;
  /** A listener that was started beforehand. */
  readonly first?: Spawned;
};

// A look at the logs' names costs a millisecond; a listener that asks for one after the other gets the last answer.
const NAMES_AGE_MS = 5_000;
// A digest, an alert, and one that was kept; a mail is 16 MB at the most.
const MAX_MAILS = 4;
const ROTATION_ROW_MS = 10_000;
// A reload stops and starts every part; a listener that takes longer hangs, which the pings find.
const ANSWER_MS = 15_000;
// A listener that keeps asking for what it may not have is told of, but not once for each time.
const REFUSALS_MS = 60_000;

export class Warden {
  readonly #options: WardenOptions;
  readonly #bus: Bus;
  readonly #outbox = new Outbox();
  readonly #facts: FactsDesk;
  readonly #desk: FirewallDesk;
  readonly #supervisor: Supervisor;
  readonly #followers = new Set<(event: Event) => void>();
  readonly #startedAt = systemClock.now();
  readonly #questions = new Map<number, (value: unknown) => void>();
  #settings: Settings;
  #ready: () => void = () => {};
  #rotation: Promise<RotationKeeper> | null = null;
  #rotationRow: Disposable | undefined;
  #rotationTold = "";
  #logs: { readonly names: readonly string[]; readonly atMs: number } | null = null;
  #mailing: Promise<unknown> = Promise.resolve();
  #mails = 0;
  #asked = 0;
  #refusedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WardenOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#bus = new Bus(options.settings.host, systemClock);
    const reader = new HostFactsReader({ ignoreFiles: [] });
    this.#facts = new FactsDesk(reader, systemClock, (facts) => this.#found("facts", facts));
    this.#desk = new FirewallDesk(
      options.settings,
      options.account.uid,
      reader,
      (event) => void this.#supervisor.conversation?.tell({ tell: "firewall", event }),
      (why) => {
        if (!this.#facts.isNews) this.#refused("a block", why);
      },
    );
    this.#supervisor = new Supervisor({
      command: () => listenerCommand(this.#options.account, this.#settings.storeDirectory),
      ...(options.first && { first: options.first }),
      handlers: this.#handlers(),
      clock: systemClock,
      onBack: () => this.#back(),
      onEnded: (why, nextInMs) => this.#ended(why, nextInMs),
      onRefused: (ask, why) => this.#refused(ask, why),
    });
  }

  /** What it runs by. */
  get settings(): Settings {
    return this.#settings;
  }

  /** The listener's process, or null while there is none. */
  get listenerPid(): number | null {
    return this.#supervisor.pid;
  }

  /** Starts the listener; resolves once everything runs for the first time. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#ready = resolve;
      this.#supervisor.start();
    });
  }

  /** Takes up a configuration that was read again; one with new faults is refused whole. */
  async reload(): Promise<ReloadOutcome> {
    const next = this.#options.gather();
    const fresh = freshFaults(this.#settings, next);
    if (fresh.length > 0) {
      this.emit({ type: "config.rejected", faults: fresh });
      return { faults: fresh };
    }
    this.#settings = next;
    this.#logs = null;
    this.#desk.setSettings(next);
    const keeper = this.#rotation;
    this.#rotation = null;
    await (await keeper?.catch(() => null))?.stop();
    const outcome = await this.#ask("reload", this.#briefing());
    if (outcome === null) this.#rotateAlone();
    // Without a listener there is nobody to say what is different; the next one starts with it.
    return (outcome as ReloadOutcome | null) ?? { changes: [] };
  }

  /** The guard, as the control socket may ask for it. */
  control(stop: (because: string) => void): Controlled {
    return {
      status: async () => statusOf(this.#settings, await this.#ask("status"), this.#startedAt),
      blocks: async () => (await this.#ask("blocks")) as Awaited<ReturnType<Controlled["blocks"]>>,
      metrics: async () => String((await this.#ask("metrics")) ?? ""),
      reload: () => this.reload(),
      stop,
      subscribe: (follower) => {
        this.#followers.add(follower);
        this.#tellFollowing();
        return () => {
          this.#followers.delete(follower);
          this.#tellFollowing();
        };
      },
    };
  }

  /** Says something that happened in the warden. Bound, so that it can be handed on. */
  readonly emit = (body: EventBody): Event => {
    const event = this.#bus.stamp(body);
    this.#post(event);
    return event;
  };

  /** Asks the listener; null when there is none, or it ends before it answers, or does not answer in time. */
  #ask(what: string, value: unknown = null): Promise<unknown> {
    const { conversation } = this.#supervisor;
    if (conversation === null) return Promise.resolve(null);
    const n = ++this.#asked;
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#answered(n, null), ANSWER_MS);
      this.#questions.set(n, (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
      if (!conversation.tell({ tell: "question", n, what, with: value })) this.#answered(n, null);
    });
  }

  /** Ends the listener and what else runs; blocks stay in force. */
  async stop(because: string): Promise<void> {
    this.#rotationRow?.[Symbol.dispose]();
    this.#facts.stop();
    const keeper = this.#rotation;
    this.#rotation = null;
    await Promise.all([
      this.#supervisor.stop(because),
      keeper?.then((running) => running.stop()).catch(() => {}),
    ]);
    await this.#mailing;
    await this.#desk.release();
  }

  #handlers(): Handlers {
    return {
      hello: () => {
        this.#facts.forget();
        this.#outbox.again();
        return this.#briefing();
      },
      ready: () => {
        this.#ready();
        settleSoon(false);
        this.#tellFollowing();
        this.#supervisor.ready();
        this.#desk.running();
        this.#pump();
      },
      capture: () => {
        if (!this.#settings.config.sentry.enabled) throw new Refused("sentry.enabled = false");
        return new Handover(openSocket());
      },
      touches: () => this.#desk.touches(),
      log: ({ path }) => new Handover(openNamedLog(path, this.#namedLogs())),
      "report-file": async () => {
        const { via, file } = this.#settings.config.report;
        if (via !== "file" && file === "") throw new Refused(`report.via = "${via}"`);
        return new Handover(await openReportFile(file || "/var/log/telltale-report.txt"));
      },
      mail: ({ mail }) => this.#mail(mail),
      facts: () => this.#facts.answer(),
      firewall: ({ call, args }) => {
        // Before the answer: the listener asked by what it knew.
        this.#facts.look();
        return this.#desk.call(call, args);
      },
      rotation: () => this.#rotationSays(),
      stored: ({ upTo }) => {
        this.#outbox.stored(upTo);
        this.#pump();
      },
      reply: ({ n, value }) => this.#answered(n, value),
      heard: ({ event }) => {
        for (const follower of this.#followers) follower(event as Event);
      },
      pong: () => this.#supervisor.alive(),
    };
  }

  #briefing(): Briefing {
    return {
      settings: this.#settings,
      json: this.#options.json,
      wardenPid: process.pid,
      smtpPassword: smtpPasswordOf(this.#settings),
      webhookTokens: webhookTokensOf(this.#settings),
    };
  }

  #namedLogs(): readonly string[] {
    const nowMs = systemClock.monotonicMs();
    if (this.#logs === null || nowMs - this.#logs.atMs > NAMES_AGE_MS)
      this.#logs = { names: namedLogs(this.#settings.config), atMs: nowMs };
    return this.#logs.names;
  }

  // One mail at a time: a listener cannot fill the host with mailers.
  #mail(mail: string): Promise<unknown> {
    const { via } = this.#settings.config.report;
    if (via !== "auto" && via !== "sendmail") throw new Refused(`report.via = "${via}"`);
    if (this.#mails >= MAX_MAILS) throw new Error("other mails wait for the mailer; this one is tried again");
    const { uid, gid } = this.#options.account;
    this.#mails++;
    const sent = this.#mailing.then(() => {
      const order = { settings: this.#settings, mail, uid, gid };
      return startJob<Omit<Ended, "stdout">>("mail", order, () => {}).result;
    });
    // The listener hears of a failure; the next mail has its own turn.
    this.#mailing = sent
      .catch(() => {})
      .finally(() => {
        this.#mails--;
      });
    return sent;
  }

  async #rotationSays(): Promise<RotationSays> {
    this.#rotation ??= RotationKeeper.start(this.#settings, {
      event: (event) => this.#post(event),
      emit: (body) => this.emit(body),
      uncovered: (found) => this.#found("uncovered", found),
    });
    this.#rotationRow ??= every(ROTATION_ROW_MS, () => void this.#tellRotation());
    const says = saysOf(await this.#rotation);
    this.#rotationTold = JSON.stringify(says);
    return says;
  }

  // The listener asks for it when its parts start; logs must not grow because it never came so far.
  #rotateAlone(): void {
    const { rotate, disk } = this.#settings.config;
    if (rotate.enabled || disk.enabled) void this.#rotationSays().catch(() => {}); // The listener tells why.
  }

  async #tellRotation(): Promise<void> {
    const keeper = await this.#rotation?.catch(() => null); // It could not be started: the listener knows why.
    if (keeper == null) return;
    const says = saysOf(keeper);
    const text = JSON.stringify(says);
    // What it knows already would only wake the listener up.
    if (text !== this.#rotationTold && this.#found("rotation", says)) this.#rotationTold = text;
  }

  #found(what: string, value: unknown): boolean {
    return this.#supervisor.conversation?.tell({ tell: "found", what, value }) ?? false;
  }

  #tellFollowing(): void {
    this.#supervisor.conversation?.tell({ tell: "follow", on: this.#followers.size > 0 });
  }

  #post(event: Event): void {
    this.#outbox.put(event);
    this.#pump();
  }

  #pump(): void {
    const { conversation } = this.#supervisor;
    if (conversation?.stage !== "running" || !conversation.hasRoom) return;
    const lost = this.#outbox.takeLost();
    if (lost > 0) {
      this.#outbox.put(
        this.#bus.stamp({
          type: "part.failed",
          part: "listener",
          why: `${lost} events of the warden were lost while no listener took them`,
          mend: "see what ended the listener",
          stillRuns: "everything else",
        }),
      );
    }
    for (const { n, event } of this.#outbox.due()) conversation.tell({ tell: "event", n, event });
  }

  #ended(why: string, nextInMs: number): void {
    for (const n of [...this.#questions.keys()]) this.#answered(n, null);
    void this.#desk.release();
    this.#rotateAlone();
    const next = `it is started again in ${nextInMs / 1_000} s`;
    // It may have ended in the middle of a line, which the next one must not go on.
    process.stdout.write("\n");
    process.stderr.write(`telltale guard: the listener is gone: ${why}; ${next}\n`);
    this.emit({
      type: "part.failed",
      part: "listener",
      why,
      mend: `none is needed: ${next}; if it comes back often, please report it`,
      stillRuns: "blocks stay in force and logs are rotated; packets and log lines wait",
    });
  }

  #back(): void {
    this.emit({
      type: "part.recovered",
      part: "listener",
      how: `started again as process ${this.#supervisor.pid}`,
    });
  }

  #refused(what: Request["ask"] | "a block", why: string): void {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#refusedAtMs < REFUSALS_MS) return;
    this.#refusedAtMs = nowMs;
    const asked = `it asked for ${what} that it may not have: ${why}`;
    // Also where no listener can leave it out: the history is its own.
    process.stderr.write(`telltale guard: the listener is refused: ${showable(asked)}\n`);
    this.emit({
      type: "part.failed",
      part: "listener",
      why: asked,
      mend: "after a change of the configuration: telltale reload; otherwise look whether somebody has taken it over",
      stillRuns: "nothing was done, and everything goes on",
    });
  }

  #answered(n: number, value: unknown): void {
    this.#questions.get(n)?.(value);
    this.#questions.delete(n);
  }
}

function saysOf(keeper: RotationKeeper): RotationSays {
  return { lines: keeper.describe(), next: keeper.outlook().next ?? [] };
}
