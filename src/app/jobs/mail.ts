// Hands one finished mail to the host's mailer, as the listener's user but free to gain the mailer's own rights, which
// the listener is not: local mailers are setuid or setgid.
import { mailboxes } from "../../report/routes/mime.ts";
import { type Ended, runProgram } from "../../report/routes/program.ts";
import { SENDMAIL_TIMEOUT_MS } from "../../report/routes/sendmail.ts";
import type { Settings } from "../settings.ts";

export type MailOrder = {
  readonly settings: Settings;
  /** In base64. */
  readonly mail: string;
  readonly uid: number;
  readonly gid: number;
};

/** Sender, recipients and program come from the configuration, whatever stands in the mail. */
export async function run({ settings, mail, uid, gid }: MailOrder): Promise<Omit<Ended, "stdout">> {
  const { to, from, sendmail } = settings.config.report;
  const sender = from === "" ? [] : ["-f", mailboxes(from, "report.from")[0]!];
  const args = ["-i", ...sender, "--", ...mailboxes(to, "report.to")];
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  process.chdir("/");
  const { status, stderr } = await runProgram(
    sendmail,
    args,
    Buffer.from(mail, "base64"),
    SENDMAIL_TIMEOUT_MS,
  );
  return { status, stderr };
}
