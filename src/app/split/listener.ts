// The unprivileged half of the guard: everything that reads what strangers wrote. It is started by the warden, with two
// channels to it, and ends when they do.
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { systemClock } from "../../core/clock.ts";
import { Client } from "../../warden/client.ts";
import { CHANNEL_FD, DESCRIPTORS_FD } from "../../warden/spawn.ts";
import type { News } from "../../warden/types.ts";
import { controlled } from "../control/overview.ts";
import { Guard } from "../lifecycle.ts";
import { Screen } from "../screen.ts";
import { settleSoon } from "../settle.ts";
import type { Briefing } from "./briefing.ts";
import { ListenerPowers } from "./listener-powers.ts";

const STORE_RETRY_MS = 1_000;

/** Runs until the warden says so, or has gone. */
export async function runListener(): Promise<number> {
  if (!isSocket(CHANNEL_FD) || !isSocket(DESCRIPTORS_FD)) {
    process.stderr.write("telltale listener: the guard starts it by itself\n    mend: telltale guard\n");
    return 64;
  }
  process.title = "telltale: listener";
  const heard: News[] = [];
  let hear = (news: News): void => void heard.push(news);
  let end: (because: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  const client = new Client({
    channel: new Socket({ fd: CHANNEL_FD, readable: true, writable: true }),
    descriptors: DESCRIPTORS_FD,
    onNews: (news) => hear(news),
    onGone: () => end("its warden has gone"),
  });
  // The warden hears signals and says what they mean; the terminal's go to both.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("SIGTERM", () => end("SIGTERM"));

  const briefing = (await client.ask({ ask: "hello" })) as Briefing;
  const powers = new ListenerPowers(client, briefing);
  await powers.start();
  const guard = new Guard(briefing.settings, systemClock, powers);
  const screen = new Screen(briefing.json);
  guard.bus.subscribe(screen.show);
  const uncaught = (error: unknown): void => {
    process.stderr.write(`telltale guard: ${error instanceof Error ? error.stack : String(error)}\n`);
    if (!guard.survive(error)) process.exit(70);
  };
  process.on("uncaughtException", uncaught);
  process.on("unhandledRejection", uncaught);

  const letters = new Letters(guard, client);
  hear = (news) => {
    switch (news.tell) {
      case "ping":
        return client.say({ ask: "pong" });
      case "question":
        return void answer(news.n, news.what, news.with);
      case "follow":
        return follow(news.on);
      case "firewall":
        return powers.heardFirewall(news.event);
      case "found":
        return powers.heardFound(news.what, news.value);
      case "event":
        return letters.take(news.n, news.event);
      case "quit":
        return end(news.because);
    }
  };
  let next = briefing;
  const hands = controlled(guard, systemClock, { gather: () => next.settings, stop: end });
  const reload = (value: unknown): Promise<unknown> => {
    next = value as Briefing;
    powers.briefAgain(next);
    return hands.reload();
  };
  const answer = async (n: number, what: string, value: unknown): Promise<void> => {
    const reply =
      what === "reload"
        ? reload(value)
        : what === "metrics"
          ? hands.metrics()
          : what === "blocks"
            ? hands.blocks()
            : hands.status();
    client.say({ ask: "reply", n, value: await reply });
  };
  let unfollow = (): void => {};
  const follow = (on: boolean): void => {
    unfollow();
    unfollow = on ? guard.bus.subscribe((event) => client.say({ ask: "heard", event })) : () => {};
  };
  for (const news of heard.splice(0)) hear(news);

  await guard.start();
  screen.ready(briefing.settings, guard.status());
  client.say({ ask: "ready" });
  settleSoon(true);
  const because = await ended;
  letters.stop();
  await guard.stop(because);
  screen.flush();
  // Threads of the packet ring or of a foreign call may still wait for their timeout.
  process.exit(0);
}

/** Events of the warden: taken up, stored, and confirmed once they are. */
class Letters {
  readonly #guard: Guard;
  readonly #client: Client;
  #upTo = 0;
  #confirming: NodeJS.Timeout | null = null;

  constructor(guard: Guard, client: Client) {
    this.#guard = guard;
    this.#client = client;
  }

  take(n: number, event: Parameters<Guard["bus"]["forward"]>[0]): void {
    this.#guard.bus.forward(event);
    this.#upTo = n;
    this.#confirming ??= setTimeout(() => this.#confirm(), 0);
  }

  stop(): void {
    if (this.#confirming !== null) clearTimeout(this.#confirming);
    if (this.#guard.bus.flush()) this.#client.say({ ask: "stored", upTo: this.#upTo });
  }

  #confirm(): void {
    // A store that refuses is tried again by the bus; until then the warden keeps them.
    const stored = this.#guard.bus.flush();
    this.#confirming = stored ? null : setTimeout(() => this.#confirm(), STORE_RETRY_MS);
    if (stored) this.#client.say({ ask: "stored", upTo: this.#upTo });
  }
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false; // Nothing is open there: somebody typed this by hand.
  }
}
