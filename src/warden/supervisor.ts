// Keeps one listener alive: starts it, watches whether it still answers, and starts it again when it has ended, after a
// wait that grows while it keeps ending.
import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import { every } from "../core/rounds.ts";
import { closeDescriptor } from "../sys/descriptors.ts";
import { waitBeforeStart } from "./backoff/decide.ts";
import { Conversation, type Handlers } from "./server.ts";
import { CHANNEL_FD, type Command, type Spawned, spawnListener } from "./spawn.ts";
import type { Ask } from "./types.ts";

export type SupervisorOptions = {
  /** The program and its arguments, made anew for each start. */
  readonly command: () => Command;
  /** One that was started before there was a supervisor. */
  readonly first?: Spawned;
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** A listener that was started again runs. */
  readonly onBack: (afterMs: number) => void;
  readonly onEnded: (why: string, nextInMs: number) => void;
  readonly onRefused: (ask: Ask, why: string) => void;
};

// A listener may be busy for seconds (a report over 200,000 events); one that leaves two pings of ten seconds each
// unanswered hangs or was stopped.
const PING_MS = 10_000;
const MAX_UNANSWERED_PINGS = 2;
// After the order to quit; the listener itself gives its parts 10 s at the most. systemd waits for 20 s.
const QUIT_MS = 13_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  #child: ChildProcess | null = null;
  #conversation: Conversation | null = null;
  #descriptors = -1;
  #startedAtMs = 0;
  #waitMs = 0;
  #ended = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #ping: Disposable | undefined;
  #unanswered = 0;
  #verdict = "";
  #starts = 0;
  #stopping = false;
  #first: Spawned | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#first = options.first;
  }

  /** The conversation with the listener that runs now, or null. */
  get conversation(): Conversation | null {
    return this.#conversation;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Starts a listener, now or, if even that fails, after the usual wait. Never throws. */
  start(): void {
    this.#startedAtMs = this.#options.clock.monotonicMs();
    try {
      this.#spawn();
    } catch (error) {
      // No descriptors or no memory left: later there may be.
      this.#again(`it could not be started: ${describeError(error)}`);
    }
  }

  #spawn(): void {
    const spawned = this.#first ?? spawnListener(this.#options.command());
    this.#first = undefined;
    const { child, descriptors } = spawned;
    this.#child = child;
    this.#descriptors = descriptors;
    this.#verdict = "";
    this.#starts++;
    this.#unanswered = 0;
    this.#conversation = new Conversation({
      channel: child.stdio[CHANNEL_FD] as Socket,
      descriptors,
      handlers: this.#options.handlers,
      onRefused: this.#options.onRefused,
      onMalformed: (why) => this.#kill(`it sent what no listener of telltale's sends (${why})`),
    });
    this.#ended = spawned.ended.then((why) => this.#afterEnd(why));
    this.#ping = every(PING_MS, () => this.#askForLife());
  }

  /** The listener has said that everything runs. */
  ready(): void {
    if (this.#starts > 1) this.#options.onBack(this.#options.clock.monotonicMs() - this.#startedAtMs);
  }

  /** The listener has answered a ping. */
  alive(): void {
    this.#unanswered = 0;
  }

  /** Lets the listener end in order, and ends it if it does not. */
  async stop(because: string): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    if (this.#child === null) return;
    this.#conversation?.quit(because);
    const late = setTimeout(() => this.#kill("it did not end when it was asked to"), QUIT_MS);
    await this.#ended;
    clearTimeout(late);
  }

  // A process that was stopped leaves pings unanswered; while this one was, none was sent, so none is missing.
  #askForLife(): void {
    if (this.#unanswered >= MAX_UNANSWERED_PINGS) {
      this.#kill(`it had not answered for ${(MAX_UNANSWERED_PINGS * PING_MS) / 1_000} s and was killed`);
      return;
    }
    this.#unanswered++;
    this.#conversation?.tell({ tell: "ping" });
  }

  #kill(why: string): void {
    if (this.#verdict === "") this.#verdict = why;
    this.#child?.kill("SIGKILL");
  }

  #afterEnd(why: string): void {
    this.#ping?.[Symbol.dispose]();
    this.#conversation?.end();
    this.#conversation = null;
    closeDescriptor(this.#descriptors);
    this.#child = null;
    if (!this.#stopping) this.#again(this.#verdict || why);
  }

  #again(why: string): void {
    const { clock, onEnded } = this.#options;
    this.#waitMs = waitBeforeStart(this.#waitMs, clock.monotonicMs() - this.#startedAtMs);
    this.#restart = setTimeout(() => this.start(), this.#waitMs);
    onEnded(why, this.#waitMs);
  }
}
