// Runs a tool of the system: no shell, found also where cron leaves out the sbin folders, with English messages and an end in sight.
import { execFile } from "node:child_process";

const TIMEOUT_MS = 30_000;
// A listing of 100,000 blocks is about 10 MB.
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** A tool that ended with another status than 0, in its own words. */
export class ToolError extends Error {
  /** The program is not on this machine. */
  readonly missing: boolean;

  constructor(message: string, missing: boolean, cause: unknown) {
    super(message, { cause });
    this.name = "ToolError";
    this.missing = missing;
  }
}

/**
 * Runs a program and returns what it printed.
 * @param input what it reads on standard input
 * @throws ToolError
 */
export function runTool(program: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      maxBuffer: MAX_OUTPUT_BYTES,
      timeout: TIMEOUT_MS,
      env: {
        ...process.env,
        PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin`,
        LC_ALL: "C",
      },
    };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const words = stderr.trim().split("\n")[0];
      reject(new ToolError(`${program}: ${words || error.message}`, error.code === "ENOENT", error));
    });
    child.stdin?.on("error", () => {
      // It ended before it read all: its exit status, above, says why.
    });
    child.stdin?.end(input);
  });
}
