// Work that is done in a process of its own and ends with it: what it takes of memory is given back, what it breaks is
// its own, and the root half of the guard never loads the engine that does it. A closed list of names; the order comes
// on standard input, what happens goes out as lines of JSON.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Event } from "../core/events.ts";
import type { Settings } from "./settings.ts";

/** The jobs that there are; `jobs/NAME.ts` does each. */
export const JOBS = {
  rotate: () => import("./jobs/rotate.ts"),
  uncovered: () => import("./jobs/uncovered.ts"),
  relieve: () => import("./jobs/relieve.ts"),
  mail: () => import("./jobs/mail.ts"),
} as const;
export type JobName = keyof typeof JOBS;

export type JobModule<Order, Result> = {
  run(order: Order, say: (event: Event) => void, signal: AbortSignal): Promise<Result>;
};

type Word = { readonly event: Event } | { readonly result: unknown } | { readonly failed: string };

/** A job that runs. */
export type RunningJob<Result> = {
  /** Rejects when the job ended without a result. */
  readonly result: Promise<Result>;
  /** Asks it to end after what it is at. */
  stop(): void;
};

// What a job says of its failure, kept for the message.
const MAX_STDERR = 2_000;

/** Starts a job with the rights of this process. */
export function startJob<Result>(
  name: JobName,
  order: { readonly settings: Settings },
  onEvent: (event: Event) => void,
): RunningJob<Result> {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, "job", name], {
    stdio: ["pipe", "pipe", "pipe"],
    // ^C in a terminal is for the guard to answer.
    detached: true,
  });
  child.stdin.on("error", () => {}); // It ended before it had read everything; its exit tells the story.
  child.stdin.end(JSON.stringify(order));
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(0, MAX_STDERR);
  });
  let word: Word | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const said = JSON.parse(line) as Word;
    if ("event" in said) onEvent(said.event);
    else word = said;
  });
  const result = new Promise<Result>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      if (word !== undefined && "result" in word) resolve(word.result as Result);
      else if (word !== undefined && "failed" in word) reject(new Error(word.failed));
      else reject(new Error(`telltale job ${name} ended with ${signal ?? status}: ${complaint.trim()}`));
    });
  });
  return { result, stop: () => void child.kill("SIGTERM") };
}

/** The job's own side: reads the order, does the work, says what happens. Returns the exit status. */
export async function runJob(name: string | undefined): Promise<number> {
  if (name === undefined || !Object.hasOwn(JOBS, name)) {
    process.stderr.write(
      `telltale job: one of ${Object.keys(JOBS).join(", ")}; the guard starts them by itself\n`,
    );
    return 64;
  }
  const stopping = new AbortController();
  process.on("SIGTERM", () => stopping.abort());
  process.on("SIGHUP", () => {});
  const say = (word: Word) => void process.stdout.write(`${JSON.stringify(word)}\n`);
  let text = "";
  for await (const piece of process.stdin.setEncoding("utf8")) text += piece;
  const job = (await JOBS[name as JobName]()) as JobModule<unknown, unknown>;
  try {
    say({ result: (await job.run(JSON.parse(text), (event) => say({ event }), stopping.signal)) ?? null });
    return 0;
  } catch (error) {
    say({ failed: error instanceof Error ? error.message : String(error) });
    return 1;
  }
}
