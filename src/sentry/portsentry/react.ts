// Carries out the steps of a block and says truly how each ended. PortSentry reports "blocked" whatever its command did.
import { spawn } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { describeError } from "../../core/errors.ts";
import type { RunnableStep } from "./types.ts";

// A route or firewall command takes milliseconds; one that hangs must not keep the others waiting for ever.
const COMMAND_TIMEOUT_MS = 30_000;
const ENDED = "ended with portsentry";
const HOSTS_DENY = "/etc/hosts.deny";

export type StepOptions = {
  readonly hostsDeny?: string;
  readonly timeoutMs?: number;
  /** Ends a command that is running. */
  readonly ending?: AbortSignal;
};

/** Runs one step; null when it succeeded, otherwise why not. */
export async function runStep(step: RunnableStep, options: StepOptions = {}): Promise<string | null> {
  if (step.do !== "wrappers") return await runCommand(step.command, options);
  try {
    return appendOnce(options.hostsDeny ?? HOSTS_DENY, step.line);
  } catch (error) {
    return describeError(error);
  }
}

/**
 * The administrator's own command line, in the shell it was written for, and in a process group of its own: a shell that is
 * killed leaves behind what it waits for.
 */
function runCommand(
  command: string,
  { timeoutMs = COMMAND_TIMEOUT_MS, ending }: StepOptions,
): Promise<string | null> {
  if (ending?.aborted === true) return Promise.resolve(ENDED);
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", command], {
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
    });
    let cut: string | null = null;
    const cutOff = (why: string): void => {
      cut = why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It ended at that very moment, and says so by itself.
      }
    };
    const timer = setTimeout(() => cutOff(`not done after ${timeoutMs / 1_000} s, and ended`), timeoutMs);
    const onEnding = (): void => cutOff(ENDED);
    ending?.addEventListener("abort", onEnding);
    const done = (why: string | null): void => {
      clearTimeout(timer);
      ending?.removeEventListener("abort", onEnding);
      resolve(why);
    };
    child.on("error", (error) => done(describeError(error)));
    child.on("exit", (status, signal) => {
      if (cut !== null) done(cut);
      else if (status === 0) done(null);
      else done(signal === null ? `exit status ${status}` : `ended by ${signal}`);
    });
  });
}

/** Adds the line unless it stands there already. */
function appendOnce(path: string, line: string): null {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (text.split("\n").includes(line)) return null;
  const { O_WRONLY, O_CREAT, O_APPEND } = constants;
  const file = openSync(path, O_WRONLY | O_CREAT | O_APPEND, 0o644);
  try {
    writeSync(file, `${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`);
  } finally {
    closeSync(file);
  }
  return null;
}
