// Mails what went wrong in a stanza to the address of its `errors` directive: one mail for each address and run, since a broken
// disk breaks every log at once.
import { spawn } from "node:child_process";
import { hostname } from "node:os";
import { showable } from "../core/hostile.ts";

// A mail is for reading.
const MAX_LINES = 200;

export type RotationFailure = { readonly log: string; readonly why: string; readonly mend: string };

/** The text of the mail, without its headers. */
export function errorsText(failures: readonly RotationFailure[]): string {
  const lines = failures.slice(0, MAX_LINES).map(({ log, why, mend }) => {
    return `${showable(log)}\n    ${showable(why)}\n    mend: ${showable(mend)}\n`;
  });
  const more = failures.length - lines.length;
  return `${lines.join("\n")}${more > 0 ? `\nand ${more} more\n` : ""}`;
}

/** Mails failures. Returns why the mail could not be sent, or null. */
export function mailErrors(
  address: string,
  failures: readonly RotationFailure[],
  mailCommand: readonly string[],
): Promise<string | null> {
  const count = failures.length === 1 ? "1 log" : `${failures.length} logs`;
  const argv = [...mailCommand, "-s", `${hostname()}: rotation of ${count} failed`, address];
  return new Promise((resolve) => {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ["pipe", "ignore", "ignore"] });
    child.on("error", (error: NodeJS.ErrnoException) =>
      resolve(`cannot run ${argv[0]}: ${error.code ?? error.message}`),
    );
    child.on("close", (status, signal) =>
      resolve(status === 0 ? null : `${argv[0]}: ${signal ?? `exit status ${status}`}`),
    );
    // A mailer that does not read its input says so by its exit status.
    child.stdin.on("error", () => undefined);
    child.stdin.end(errorsText(failures));
  });
}
