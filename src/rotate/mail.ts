// Mails one generation as plain text through the administrator's mail command, which gets `-s SUBJECT ADDRESS` as arguments
// and the text on stdin. Nothing of the log's name or content ever reaches a shell.
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { showable } from "../core/hostile.ts";
import { runCommand } from "./command.ts";
import type { Directories } from "./directories.ts";
import { withIdentity } from "./identity.ts";
import { splitWords } from "./syntax/parse.ts";
import type { Identity, RotationStep } from "./types.ts";

export type MailContext = {
  readonly directories: Directories;
  readonly identity: Identity | null;
  readonly mailCommand: readonly string[];
  readonly signal?: AbortSignal | undefined;
};

/** Mails a file. Throws when the mail command, or the one that uncompresses, fails. */
export async function mailFile(
  step: Extract<RotationStep, { do: "mail" }>,
  context: MailContext,
): Promise<void> {
  const { directories, identity, mailCommand, signal } = context;
  const argv = [...mailCommand, "-s", showable(step.subject), step.to] as unknown as [string, ...string[]];
  const fd = withIdentity(identity, () =>
    openSync(directories.at(step.path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  try {
    if (step.uncompress === null) {
      const result = await runCommand(argv, { stdin: fd, signal });
      if (!result.ok)
        throw new Error(
          `mail command failed for ${step.path}: ${result.why} ${result.output.trim()}`.trimEnd(),
        );
      return;
    }
    const words = splitWords(step.uncompress) as [string, ...string[]];
    const reader = spawn(words[0], words.slice(1), {
      stdio: [fd, "pipe", "ignore"],
      ...(identity === null ? {} : { uid: identity.uid, gid: identity.gid }),
    });
    const mailer = spawn(argv[0], argv.slice(1), { stdio: ["pipe", "ignore", "ignore"] });
    const [read, mailed] = [finished(reader, words[0]), finished(mailer, argv[0])];
    // A mailer that stops reading shows in its own exit status.
    const piped = pipeline(reader.stdout!, mailer.stdin!).catch(() => undefined);
    const failures = (await Promise.all([read, mailed, piped])).filter((why) => typeof why === "string");
    if (failures.length > 0) throw new Error(`mail command failed for ${step.path}: ${failures.join("; ")}`);
  } finally {
    closeSync(fd);
  }
}

// Why a process failed; undefined when it did not.
function finished(child: ReturnType<typeof spawn>, name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.on("error", (error: NodeJS.ErrnoException) =>
      resolve(`cannot run ${name}: ${error.code ?? error.message}`),
    );
    child.on("close", (status, signal) =>
      resolve(status === 0 ? undefined : `${name}: ${signal ?? `exit status ${status}`}`),
    );
  });
}
