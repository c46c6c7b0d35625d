// The report as logcheck mails it: as text, attached, or attached and compressed.
import { gzipSync } from "node:zlib";
import { showableBytes } from "../core/hostile.ts";
import { newId } from "../core/id.ts";
import { attempt } from "../report/deliver.ts";
import type { Message } from "../report/types.ts";

export type LogcheckMail = {
  readonly to: string;
  readonly subject: string;
  readonly host: string;
  readonly at: Date;
  /** MAILASATTACH. */
  readonly attach: 0 | 1 | 2;
  /** The mailer; the host's sendmail when not given. */
  readonly command?: string;
};

/** The mail was not taken; nothing may be marked as read. */
export class MailRefusedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MailRefusedError";
  }
}

/**
 * Sends a report through the host's sendmail. In the text, characters that move a cursor or hide text are written
 * out; an attachment holds the bytes as they are. Throws MailRefusedError when the mailer does not take it.
 */
export async function deliverLogcheckReport(report: Uint8Array, mail: LogcheckMail): Promise<void> {
  const message: Message = {
    id: newId(mail.at),
    host: mail.host,
    at: mail.at.toISOString(),
    subject: mail.subject,
    ...content(report, mail.attach),
  };
  const result = await attempt(message, {
    via: "sendmail",
    to: mail.to,
    ...(mail.command === undefined ? {} : { command: mail.command }),
  });
  if (result.delivered) return;
  throw new MailRefusedError(`${result.why}${result.mend === "" ? "" : `\n    mend: ${result.mend}`}`);
}

function content(report: Uint8Array, attach: 0 | 1 | 2): Pick<Message, "text" | "attachments"> {
  if (attach === 0) return { text: showableLines(report) };
  const name = attach === 1 ? "logcheck_report" : "logcheck_report.gz";
  const type = attach === 1 ? "text/plain" : "application/x-gzip";
  return {
    text: "Report attached\n",
    attachments: [{ name, type, content: attach === 1 ? report : gzipSync(report) }],
  };
}

function showableLines(report: Uint8Array): string {
  const lines: string[] = [];
  for (let start = 0; start < report.length; ) {
    const newline = report.indexOf(0x0a, start);
    const end = newline < 0 ? report.length : newline;
    lines.push(showableBytes(report.subarray(start, end)));
    start = end + 1;
  }
  return `${lines.join("\n")}\n`;
}
