// Hands a mail to the host's own mailer. It queues and retries better than anybody else could; what it must not get
// is a shell, a recipient that reads as an option, or the chance to hang the guard.
import { readFileSync } from "node:fs";
import { describeError } from "../../core/errors.ts";
import type { Message, Route } from "../types.ts";
import { buildMail, mailboxes, senderOf } from "./mime.ts";
import { type Ended, runProgram } from "./program.ts";
import { codeOf, DeliveryError } from "./refusal.ts";

const DEFAULT_COMMAND = "/usr/sbin/sendmail";

// A mailer that only queues answers in milliseconds; one that delivers while we wait (ssmtp, msmtp) takes a relay's
// patience. RFC 5321 section 4.5.3.2 asks for minutes, but a report can wait in the spool instead.
export const SENDMAIL_TIMEOUT_MS = 60_000;

// sysexits.h: EX_USAGE, EX_DATAERR, EX_NOUSER, EX_NOHOST, EX_CONFIG: the same mail would fail the same way.
const PERMANENT = new Set([64, 65, 67, 68, 78]);

type Sendmail = Extract<Route, { via: "sendmail" }>;

/**
 * Sends one message through `sendmail -i`.
 * @throws DeliveryError when the program is missing, refuses, or does not answer in time
 */
export async function sendBySendmail(message: Message, route: Sendmail): Promise<void> {
  const command = route.command ?? DEFAULT_COMMAND;
  const to = mailboxes(route.to, "report.to");
  const sender =
    route.from === undefined || route.from === "" ? null : mailboxes(route.from, "report.from")[0]!;
  const mail = await buildMail(
    message,
    { from: sender ?? senderOf(message.host), to },
    "\n",
    route.encryptTo,
  );
  // -i: a line with a lone dot is text. Bounces go to whoever runs telltale unless a sender was configured.
  const args = ["-i", ...(sender === null ? [] : ["-f", sender]), "--", ...to];
  const timeoutMs = route.timeoutMs ?? SENDMAIL_TIMEOUT_MS;
  const ended = await run(route.run ?? runProgram, command, args, mail, timeoutMs);
  if (ended.status === 0) return;
  const said = ended.stderr === "" ? "" : `: ${ended.stderr}`;
  if (ended.status === null) {
    throw new DeliveryError(
      `${command} did not answer within ${timeoutMs / 1_000} s and was ended${said}`,
      `try: echo test | ${command} -i ${to[0]}`,
      true,
    );
  }
  throw new DeliveryError(
    `${command} ended with status ${ended.status}${said}`,
    mayGainNoPrivileges() ? NO_PRIVILEGES_MEND : `try: echo test | ${command} -i ${to[0]}`,
    !PERMANENT.has(ended.status),
  );
}

// Local mailers write their queue with rights of their own: exim is setuid, postfix has a setgid `postdrop`. A process
// with no-new-privs starts them without these rights, and they fail with words that lead astray (exim 4.96:
// "Failed to create spool file: Permission denied").
const NO_PRIVILEGES_MEND =
  'this process runs with no-new-privs, under which a local mailer cannot reach its queue: set via = "smtp" and smtp_host = "localhost" under [report]';

/** True when programs that this process starts cannot gain rights (prctl(2), PR_SET_NO_NEW_PRIVS). */
export function mayGainNoPrivileges(): boolean {
  try {
    return /^NoNewPrivs:\s*1$/m.test(readFileSync("/proc/self/status", "utf8"));
  } catch {
    return false; // Without /proc nothing is known, and the usual advice stands.
  }
}

async function run(
  start: typeof runProgram,
  command: string,
  args: readonly string[],
  mail: Buffer,
  timeoutMs: number,
): Promise<Ended> {
  try {
    return await start(command, args, mail, timeoutMs);
  } catch (error) {
    const code = codeOf(error);
    const missing = code === "ENOENT" || code === "EACCES";
    const mend = missing
      ? 'apt install a mailer (for example msmtp-mta), or set via = "smtp" under [report]'
      : `see whether ${command} can be run`;
    throw new DeliveryError(`${command} cannot be run: ${code || describeError(error)}`, mend, true, error);
  }
}
