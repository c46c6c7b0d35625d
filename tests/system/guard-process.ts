// The guard as a child process inside a lab: its events as they come, and its end.
import type { ChildProcess } from "node:child_process";
import type { Event } from "../../src/core/events.ts";
import { type Lab, type RunOptions, TELLTALE } from "./lab.ts";
import { waitFor } from "./wait.ts";

export type GuardProcess = {
  readonly events: Event[];
  /** Lines that are no JSON: a listener was killed in the middle of one. */
  readonly torn: string[];
  readonly child: ChildProcess;
  stderr(): string;
  /** Waits for an event that fits. */
  until<T extends Event["type"]>(
    type: T,
    fits?: (event: Extract<Event, { type: T }>) => boolean,
  ): Promise<Extract<Event, { type: T }>>;
  /** Ends it with a signal and waits for the exit; returns the exit status and how long that took. */
  stop(signal?: NodeJS.Signals): Promise<{ status: number | null; tookMs: number }>;
};

/** Starts `telltale guard --json` in the lab's host and waits until it says that it has started. */
export async function startGuard(
  lab: Lab,
  args: readonly string[],
  options: RunOptions = {},
): Promise<GuardProcess> {
  const child = lab.start("host", [TELLTALE, "guard", "--json", ...args], options);
  const events: Event[] = [];
  const torn: string[] = [];
  let rest = "";
  let stderr = "";
  let exited: { status: number | null } | null = null;
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      try {
        if (line !== "") events.push(JSON.parse(line) as Event);
      } catch {
        torn.push(line);
      }
    }
  });
  child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  child.on("exit", (status) => {
    exited = { status };
  });
  const guard: GuardProcess = {
    events,
    torn,
    child,
    stderr: () => stderr,
    until: async (type, fits = () => true) => {
      const heard = () => `${events.map((event) => event.type).join(" ")} ${stderr}`;
      return await waitFor(`the guard's ${type}`, () => {
        for (const event of events) {
          const wanted = event as Extract<Event, { type: typeof type }>;
          if (event.type === type && fits(wanted)) return wanted;
        }
        if (exited !== null) throw new Error(`the guard ended with ${exited.status}: ${heard()}`);
        return null;
      }).catch((error: Error) => {
        throw new Error(`${error.message}; it said: ${heard()}`);
      });
    },
    stop: async (signal = "SIGTERM") => {
      const began = performance.now();
      child.kill(signal);
      const { status } = await waitFor("the guard to end", () => exited);
      return { status, tookMs: performance.now() - began };
    },
  };
  await guard.until("guard.started");
  return guard;
}
