// The privileged end of one conversation. It reads a closed list of requests, moves forward through
// init → config → running → quit, and ends the conversation at the first line that is none of them.
import type { Socket } from "node:net";
import { describeError, MissingPartError } from "../core/errors.ts";
import { closeDescriptor, sendDescriptor } from "../sys/descriptors.ts";
import { Lines } from "./lines.ts";
import { fitsStage, MalformedRequest, parseRequest } from "./requests/parse.ts";
import { type Answer, type Ask, type News, type Request, type Stage, UNANSWERED } from "./types.ts";

/** What is well formed and still not granted: answered, and told. */
export class Refused extends Error {}

/** A descriptor that goes over with the answer; closed here once it has been handed over. */
export class Handover {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }
}

export type Handlers = {
  readonly [A in Ask]: (request: Extract<Request, { ask: A }>) => unknown;
};

export type ConversationOptions = {
  readonly channel: Socket;
  /** The end of a descriptorChannel. */
  readonly descriptors: number;
  readonly handlers: Handlers;
  /** Something was asked for that is not granted. */
  readonly onRefused: (ask: Ask, why: string) => void;
  /** The other side is broken or in somebody else's hands; nothing is read any more. */
  readonly onMalformed: (why: string) => void;
};

// A mail with its attachments; whatever is longer was not written by telltale.
const MAX_LINE_BYTES = 16 << 20;
// 50,000 prefixes for the allow set.
const MAX_ORDINARY_CHARS = 4 << 20;
// More requests at once than any part of the guard makes: reading pauses until some are answered.
const MAX_UNANSWERED = 64;
// What a listener that does not read may leave lying here; news is dropped beyond it.
const MAX_UNREAD_BYTES = 4 << 20;

export class Conversation {
  readonly #options: ConversationOptions;
  #stage: Stage = "init";
  #unanswered = 0;
  #over = false;

  constructor(options: ConversationOptions) {
    this.#options = options;
    const lines = new Lines({
      maxBytes: MAX_LINE_BYTES,
      onLine: (line) => this.#take(line),
      onTooLong: () => this.#malformed(`a line of over ${MAX_LINE_BYTES} bytes`),
    });
    options.channel.on("data", (chunk: Buffer) => lines.write(chunk));
    options.channel.on("error", () => this.end()); // It went away in the middle of a word: its exit tells why.
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Whether the other side reads what it is told. */
  get hasRoom(): boolean {
    return !this.#over && this.#options.channel.writableLength <= MAX_UNREAD_BYTES;
  }

  /** Says something unasked; false when the other side has too much unread already. */
  tell(news: News): boolean {
    if (!this.hasRoom) return false;
    this.#options.channel.write(`${JSON.stringify(news)}\n`);
    return true;
  }

  /** From now on only what an ending takes is granted. */
  quit(because: string): void {
    this.#stage = "quit";
    this.tell({ tell: "quit", because });
  }

  end(): void {
    this.#over = true;
    this.#options.channel.destroy();
  }

  #take(line: string): void {
    if (this.#over) return;
    let numbered: ReturnType<typeof parseRequest>;
    try {
      numbered = parseRequest(line);
    } catch (error) {
      if (!(error instanceof MalformedRequest)) throw error;
      this.#malformed(error.message);
      return;
    }
    const { id, request } = numbered;
    if (line.length > MAX_ORDINARY_CHARS && request.ask !== "mail") {
      this.#malformed(`${request.ask} with ${line.length} characters`);
      return;
    }
    if (!fitsStage(request.ask, this.#stage)) {
      // Asked before it heard that all is over; anything else out of turn is a step backwards.
      if (this.#stage === "quit") this.#say({ id, refused: "the guard is ending", mend: "" });
      else this.#malformed(`${request.ask} in stage ${this.#stage}`);
      return;
    }
    if (request.ask === "hello") this.#stage = "config";
    if (request.ask === "ready") this.#stage = "running";
    void this.#answer(id, request);
  }

  async #answer(id: number, request: Request): Promise<void> {
    if (++this.#unanswered >= MAX_UNANSWERED) this.#options.channel.pause();
    try {
      // The handler of a name takes the request of that name: the table's type says so, only not to an index.
      const handle = this.#options.handlers[request.ask] as (request: Request) => unknown;
      const value = await handle(request);
      if (value instanceof Handover) this.#handOver(id, value.fd);
      else this.#say({ id, value: value ?? null });
    } catch (error) {
      if (error instanceof MalformedRequest) this.#malformed(error.message);
      else this.#refuse(id, request.ask, error);
    } finally {
      if (--this.#unanswered < MAX_UNANSWERED) this.#options.channel.resume();
    }
  }

  // Nothing may come between the two, so that descriptors arrive in the order of the answers.
  #handOver(id: number, fd: number): void {
    try {
      if (this.#over || id === UNANSWERED) return;
      sendDescriptor(this.#options.descriptors, fd);
      this.#say({ id, value: null, fd: true });
    } finally {
      closeDescriptor(fd);
    }
  }

  #refuse(id: number, ask: Ask, error: unknown): void {
    const mend = error instanceof MissingPartError ? error.mend : "";
    this.#say({ id, refused: describeError(error), mend });
    if (error instanceof Refused) this.#options.onRefused(ask, error.message);
  }

  #say(answer: Answer): void {
    if (!this.#over && answer.id !== UNANSWERED) this.#options.channel.write(`${JSON.stringify(answer)}\n`);
  }

  #malformed(why: string): void {
    if (this.#over) return;
    this.end();
    this.#options.onMalformed(why);
  }
}
