// Runs one program of the host, without a shell, for a bounded time and with bounded memory. What it started ends with
// it: a script's child that holds a pipe open must not hold up the guard.
import { spawn } from "node:child_process";
import { showable } from "../../core/hostile.ts";

/** How a program ended; `status` is null when its time was up, 128 when a signal ended it. */
export type Ended = { readonly status: number | null; readonly stdout: Buffer; readonly stderr: string };

// What a program says of its failure, kept for the message.
const MAX_STDERR = 2_000;

// An encrypted report is about as large as the report.
const MAX_STDOUT = 32_000_000;

// After the exit, the last words may still be in the pipe; a grandchild that keeps it open gets no more time than this.
const LAST_WORDS_MS = 1_000;

/**
 * Runs a program with `input` as its standard input.
 * @param timeoutMs after which the program and all it started are killed
 * @throws the error of `spawn` when it cannot be run at all
 */
export function runProgram(
  command: string,
  args: readonly string[],
  input: Uint8Array,
  timeoutMs: number,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], shell: false, detached: true });
    const parts: Buffer[] = [];
    let stdoutBytes = 0;
    let stderr = "";
    const finish = (status: number | null) => {
      clearTimeout(timer);
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      const said = showable(stderr.trim().replace(/\s*\n\s*/g, " | "));
      resolve({ status, stdout: Buffer.concat(parts), stderr: said });
    };
    const timer = setTimeout(() => {
      endGroup(child.pid);
      finish(null);
    }, timeoutMs);
    child.stdout.on("data", (part: Buffer) => {
      stdoutBytes += part.length;
      if (stdoutBytes <= MAX_STDOUT) parts.push(part);
    });
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      if (stderr.length < MAX_STDERR) stderr = (stderr + text).slice(0, MAX_STDERR);
    });
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once("exit", (status, signal) => {
      if (signal !== null && stderr === "") stderr = `ended by ${signal}`;
      const late = setTimeout(() => finish(status ?? 128), LAST_WORDS_MS);
      child.once("close", () => {
        clearTimeout(late);
        finish(status ?? 128);
      });
    });
    // A program that refuses before it has read everything closes the pipe; its exit status tells the story.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended between the timeout and the signal.
  }
}
