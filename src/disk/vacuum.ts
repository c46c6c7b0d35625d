// Has systemd shrink its journal. Which of its files are closed, and which may go, is journald's to know: see journalctl(1),
// --vacuum-size and --vacuum-time.
import { execFile } from "node:child_process";
import { MissingPartError } from "../core/errors.ts";

const SIZE = /^\d{1,12}[KMGT]?$/;
// systemd.time(7), the spans that make sense here.
const AGE = /^\d{1,6}\s?(s|sec|min|m|h|hours?|d|days?|w|weeks?|months?|y|years?)$/;
const PATIENCE_MS = 300_000;

/** The option for a size or an age, or null when the text is neither. */
export function vacuumOption(limit: string): string | null {
  // A bare number is bytes; `5m` is minutes for systemd and megabytes for nobody.
  if (SIZE.test(limit)) return `--vacuum-size=${limit}`;
  return AGE.test(limit) ? `--vacuum-time=${limit.replace(/\s/g, "")}` : null;
}

/**
 * Runs it, and returns what journalctl said.
 * Throws MissingPartError when there is no journalctl, or when it failed.
 */
export async function vacuumJournal(option: string, program = "journalctl"): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(program, [option], { timeout: PATIENCE_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(`${stdout}${stderr}`);
      else if ((error as NodeJS.ErrnoException).code === "ENOENT")
        reject(new MissingPartError("journal", "journalctl is not here", "apt install systemd", error));
      else
        reject(
          new MissingPartError("journal", `journalctl ${option}: ${stderr.trim()}`, "run it as root", error),
        );
    });
  });
}
