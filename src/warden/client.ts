// The unprivileged end of the conversation: asks, and hears the answers and the news in the order they were said.
import type { Socket } from "node:net";
import { MissingPartError } from "../core/errors.ts";
import { receiveDescriptor } from "../sys/descriptors.ts";
import { Lines } from "./lines.ts";
import { type Answer, type Ask, type News, type Request, UNANSWERED } from "./types.ts";

// 100,000 blocks with their counters are 12 MB.
const MAX_LINE_BYTES = 64 << 20;

type Waiting = { readonly ask: Ask; resolve(value: unknown): void; reject(error: Error): void };

export type ClientOptions = {
  readonly channel: Socket;
  /** The end of a descriptorChannel. */
  readonly descriptors: number;
  readonly onNews: (news: News) => void;
  /** The warden has gone: there is nobody to ask any more. */
  readonly onGone: () => void;
};

export class Client {
  readonly #options: ClientOptions;
  readonly #waiting = new Map<number, Waiting>();
  #next = UNANSWERED + 1;
  #gone = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    const lines = new Lines({
      maxBytes: MAX_LINE_BYTES,
      onLine: (line) => this.#take(JSON.parse(line) as Answer | News),
      onTooLong: () => this.#lost(),
    });
    options.channel.on("data", (chunk: Buffer) => lines.write(chunk));
    options.channel.on("error", () => this.#lost()); // A channel whose other end is gone: "close" follows.
    options.channel.on("close", () => this.#lost());
    options.channel.on("end", () => this.#lost());
  }

  /**
   * Asks for something.
   * @throws MissingPartError when it is refused, or fails there, or nobody is there any more
   */
  ask(request: Request): Promise<unknown> {
    if (this.#gone) return Promise.reject(goneError());
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { ask: request.ask, resolve, reject });
      this.#send(id, request);
    });
  }

  /** Says something whose answer nobody waits for. To a warden that has gone it says nothing: onGone has said so. */
  say(request: Request): void {
    if (!this.#gone) this.#send(UNANSWERED, request);
  }

  #send(id: number, request: Request): void {
    this.#options.channel.write(`${JSON.stringify({ id, ...request })}\n`);
  }

  /** Asks for a descriptor, which the caller then owns. Throws as `ask` does. */
  async askDescriptor(request: Request): Promise<number> {
    return (await this.ask(request)) as number;
  }

  #take(word: Answer | News): void {
    if ("tell" in word) {
      this.#options.onNews(word);
      return;
    }
    const waiting = this.#waiting.get(word.id);
    // Taken out of its channel in any case, or every later one would be somebody else's.
    const fd = "fd" in word && word.fd === true ? receiveDescriptor(this.#options.descriptors) : undefined;
    if (waiting === undefined) return;
    this.#waiting.delete(word.id);
    if ("refused" in word) waiting.reject(new MissingPartError("warden", word.refused, word.mend));
    else if (fd === null)
      waiting.reject(new MissingPartError("warden", `no descriptor for ${waiting.ask}`, ""));
    else waiting.resolve(fd ?? word.value);
  }

  #lost(): void {
    if (this.#gone) return;
    this.#gone = true;
    for (const { reject } of this.#waiting.values()) reject(goneError());
    this.#waiting.clear();
    this.#options.onGone();
  }
}

function goneError(): MissingPartError {
  return new MissingPartError(
    "warden",
    "the privileged half of the guard has gone",
    "the guard has to be started again",
  );
}
