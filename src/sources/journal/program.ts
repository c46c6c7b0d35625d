// Runs journalctl: the one reader of journal files that every version of them agrees with.
import { type ChildProcess, spawn } from "node:child_process";
import { userInfo } from "node:os";
import { MissingPartError } from "../../core/errors.ts";

/** Which journal: the host's own, a folder of journal files, or one file. */
export type Where = { readonly directory?: string; readonly file?: string };

export type Run = {
  readonly child: ChildProcess;
  /** Resolves when the program has ended and its output was read. Rejects when it cannot be started. */
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null; complaint: string }>;
};

// What it says about itself; more is not needed to tell what is wrong.
const MAX_COMPLAINT = 2_000;

/** Starts journalctl; `take` gets its output piece by piece. */
export function runJournalctl(args: readonly string[], where: Where, take: (piece: Buffer) => void): Run {
  const place = [
    ...(where.directory === undefined ? [] : [`--directory=${where.directory}`]),
    ...(where.file === undefined ? [] : [`--file=${where.file}`]),
  ];
  const child = spawn("journalctl", [...args, ...place, "--no-pager"], {
    stdio: ["ignore", "pipe", "pipe"],
    // Its own language would hide what it complains of.
    env: { ...process.env, LC_ALL: "C.UTF-8" },
  });
  let complaint = "";
  const ended = new Promise<Awaited<Run["ended"]>>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? notInstalled() : error),
    );
    child.once("close", (status, signal) => resolve({ status, signal, complaint: complaint.trim() }));
  });
  ended.catch(() => {}); // Whoever started it awaits it; this only covers the moments before.
  child.stdout.on("data", take);
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(0, MAX_COMPLAINT);
  });
  return { child, ended };
}

/** Ends a run and waits for it. */
export async function endRun(run: Run): Promise<void> {
  if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill("SIGTERM");
  await run.ended.catch(() => {}); // It never started: then it is over, too.
}

/** The cursor of the newest entry, null for a journal without entries. Throws MissingPartError without a journal. */
export async function newestCursor(where: Where): Promise<string | null> {
  let out = "";
  const { ended } = runJournalctl(["--lines=0", "--show-cursor"], where, (piece) => {
    out += piece.toString("latin1");
  });
  const { status, complaint } = await ended;
  if (/No journal files were found/.test(complaint) || /Failed to open .*No such file/.test(complaint)) {
    throw new MissingPartError(
      "check",
      "no journal files on this host",
      "nothing to do where syslog writes files; otherwise start systemd-journald, or mkdir /var/log/journal",
    );
  }
  // Some of it may be readable, a user's own messages: a guard that sees no more than that is blind and must say so.
  if (/insufficient permissions|Permission denied|not seeing messages from other users/.test(complaint)) {
    const { username } = userInfo();
    throw new MissingPartError(
      "check",
      `user ${username} may not read the system's journal`,
      `add it to the group that may: usermod -aG systemd-journal ${username}`,
    );
  }
  if (status !== 0) {
    throw new MissingPartError(
      "check",
      `journalctl failed: ${complaint || `exit status ${status}`}`,
      "run `journalctl --verify`",
    );
  }
  return /^-- cursor: (.+)$/m.exec(out)?.[1] ?? null;
}

function notInstalled(): MissingPartError {
  return new MissingPartError(
    "check",
    "journalctl is not installed, so the journal is not read",
    "nothing to do on a host without systemd; otherwise apt install systemd",
  );
}
