// Carries out the steps of a block and says truly how each ended. PortSentry reports "blocked" whatever its command did.
import { spawn } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { describeError } from "../../core/errors.ts";
import type { RunnableStep } from "./types.ts";

// A route or firewall command takes milliseconds; one that hangs must not keep the others waiting for ever.
const COMMAND_TIMEOUT_MS = 30_000;
export const HOSTS_DENY = "/etc/hosts.deny";

/** Runs one step; null when it succeeded, otherwise why not. */
export async function runStep(step: RunnableStep, hostsDeny = HOSTS_DENY): Promise<string | null> {
  if (step.do !== "wrappers") return await runCommand(step.command);
  try {
    return appendOnce(hostsDeny, step.line);
  } catch (error) {
    return describeError(error);
  }
}

/** The administrator's own command line, in the shell it was written for. */
function runCommand(command: string): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", command], {
      stdio: ["ignore", "inherit", "inherit"],
      timeout: COMMAND_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    child.on("error", (error) => resolve(describeError(error)));
    child.on("exit", (status, signal) => {
      if (status === 0) resolve(null);
      else resolve(signal === null ? `exit status ${status}` : `ended by ${signal}`);
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
