// A child of the test that works inside a network namespace and answers line by line.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Event } from "../../core/events.ts";

export class Remote {
  readonly events: Event[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  #next = 1;

  /** @param script a file beside this one */
  constructor(t: TestContext, namespace: string, script: string, ...args: string[]) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#child = spawn("ip", ["netns", "exec", namespace, process.execPath, path, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    t.after(() => this.#child.kill("SIGKILL"));
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const { id, value, error, event } = JSON.parse(line) as {
        id?: number;
        value: unknown;
        error?: string;
        event?: Event;
      };
      if (event !== undefined) this.events.push(event);
      if (id === undefined) return;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    });
    this.#child.on("exit", () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error("the process in the namespace ended"));
    });
  }

  async ask(call: string, more: object = {}): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin!.write(`${JSON.stringify({ id, call, ...more })}\n`);
    });
  }

  of<T extends Event["type"]>(type: T): Extract<Event, { type: T }>[] {
    return this.events.filter((event): event is Extract<Event, { type: T }> => event.type === type);
  }

  /** Dies as the guard would under `kill -9`. */
  async die(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
