// A message as a mail (RFC 5322, MIME). nodemailer builds it: folding, quoted-printable, encoded words and boundaries
// have bitten everybody who wrote them by hand. What is added here is distrust of every value that becomes a header.
// It is loaded with the first mail: with the TLS that it brings along, it was a fifth of what a guard reads to start.
import { showable } from "../../core/hostile.ts";
import type { Message } from "../types.ts";
import { encrypted } from "./openpgp.ts";
import { DeliveryError } from "./refusal.ts";

// RFC 5321 section 4.5.3.1.3: a path has at most 256 octets.
const MAX_ADDRESS = 254;

// A mailbox without quoting, comments or blanks, which may be a local name alone (`root`). The first character keeps
// it from being read as an option of sendmail; `|` and `/` are missing because old mailers take them for a program
// or a file to deliver to.
const MAILBOX = /^\w[\w!#$%&'*+=?^{}~.-]{0,63}(?:@[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)?$/;

/**
 * The mailboxes of `a@example.org, root`.
 * @throws DeliveryError when one is none, or there is none at all
 */
export function mailboxes(text: string, key: string): string[] {
  const found = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  for (const mailbox of found) {
    if (mailbox.length <= MAX_ADDRESS && MAILBOX.test(mailbox)) continue;
    throw new DeliveryError(
      `${key}: wants mail addresses, found "${showable(mailbox.slice(0, 80))}"`,
      `write it as ${key} = "root" or ${key} = "you@example.org", several with commas between`,
      false,
    );
  }
  if (found.length > 0) return found;
  throw new DeliveryError(
    `${key}: wants a mail address, found nothing`,
    `set ${key}, for example to "root"`,
    false,
  );
}

/** `telltale@HOST`, or null when the host's name cannot stand in an address. */
export function senderOf(host: string): string | null {
  return /^[A-Za-z0-9]([\w.-]{0,200}[A-Za-z0-9])?$/.test(host) ? `telltale@${host}` : null;
}

export type Envelope = { readonly from: string | null; readonly to: readonly string[] };

/**
 * The message as bytes with `lineEnd` line ends, encrypted when there is a key. A report that was to be encrypted
 * never leaves in the clear.
 * @param lineEnd `\n` for a program on this host, `\r\n` for SMTP
 * @param encryptTo file with an OpenPGP public key
 * @throws DeliveryError when it cannot be encrypted
 */
export async function buildMail(
  message: Message,
  envelope: Envelope,
  lineEnd: LineEnd,
  encryptTo?: string,
): Promise<Buffer> {
  if (encryptTo === undefined || encryptTo === "") return await buildClear(message, envelope, lineEnd);
  const inner = await buildClear(message, envelope, "\r\n");
  const sealed = await encrypted(withProtectedHeaders(inner), encryptTo);
  // RFC 3156 section 4: a part that names the version, and the part that nobody else can read.
  const { default: MimeNode } = await import("nodemailer/lib/mime-node");
  const root = new MimeNode('multipart/encrypted; protocol="application/pgp-encrypted"', {
    baseBoundary: boundaryOf(message),
    newline: lineEnd,
  });
  const outside = { ...message, subject: `telltale report of ${message.host} (encrypted)` };
  const { from, to } = mailboxesOf(envelope);
  if (from !== null) root.setHeader("From", from);
  root.setHeader("To", to);
  for (const [name, value] of Object.entries(headersOf(outside))) root.setHeader(name, value);
  root
    .createChild("application/pgp-encrypted")
    .setHeader("Content-Transfer-Encoding", "7bit")
    .setContent("Version: 1\n");
  root
    .createChild('application/octet-stream; name="report.asc"')
    .setHeader("Content-Transfer-Encoding", "7bit")
    .setHeader("Content-Disposition", 'inline; filename="report.asc"')
    .setContent(sealed.toString("latin1"));
  return await root.build();
}

type LineEnd = "\n" | "\r\n";

async function buildClear(message: Message, envelope: Envelope, lineEnd: LineEnd): Promise<Buffer> {
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const { attachments = [] } = message;
  const { Subject: subject, Date: date, ...headers } = headersOf(message);
  const { from, to } = mailboxesOf(envelope);
  const composer = new MailComposer({
    ...(from === null ? {} : { from }),
    to,
    subject,
    date,
    text: linewise(message.text),
    ...(message.html === undefined ? {} : { html: linewise(message.html) }),
    attachments: attachments.map(({ name, type, content, cid }) => ({
      filename: name,
      contentType: type,
      content: Buffer.from(content),
      ...(cid === undefined ? {} : { cid, contentDisposition: "inline" }),
    })),
    // Quoted-printable whatever the text is: no line over 76 characters leaves, and none is a lone dot or `From `
    // that some relay would mangle.
    textEncoding: "quoted-printable",
    headers,
    newline: lineEnd,
    // Parts of a boundary that no line of a log can foretell.
    baseBoundary: boundaryOf(message),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return await new Promise((resolve, reject) => {
    composer.compile().build((error, built) => (error ? reject(error) : resolve(built!)));
  });
}

// As objects: read from text, a mailbox without a domain (`root`) would be taken for a name and dropped.
function mailboxesOf({ from, to }: Envelope) {
  return {
    from: from === null ? null : { name: "telltale", address: from },
    to: to.map((address) => ({ name: "", address })),
  };
}

function headersOf(message: Message) {
  return {
    Subject: oneLine(message.subject),
    Date: dateOf(message.at),
    "Message-ID": `<${boundaryOf(message)}@${senderOf(message.host)?.slice(9) ?? "telltale"}>`,
    // RFC 3834 section 5: no vacation notice answers this.
    "Auto-Submitted": "auto-generated",
    "X-Auto-Response-Suppress": "All",
    "X-Telltale-Host": oneLine(message.host),
  };
}

// RFC 5322 section 3.3, in UTC.
function dateOf(at: string): string {
  const time = new Date(at);
  return (Number.isNaN(time.getTime()) ? new Date() : time).toUTCString().replace("GMT", "+0000");
}

function boundaryOf(message: Message): string {
  return message.id.replace(/[^\w-]/g, "");
}

// The true subject travels inside; a reader that knows protected headers (Thunderbird, Mutt) shows it again.
function withProtectedHeaders(mail: Buffer): Buffer {
  return Buffer.from(
    mail.toString("latin1").replace(/^(Content-Type: [^;\r\n]+)/m, '$1; protected-headers="v1"'),
    "latin1",
  );
}

// Rendered text holds no control characters but line ends; should one ever slip in, a bare carriage return must not
// reach a relay that takes it for a line's end (SMTP smuggling, CVE-2023-51764).
function linewise(text: string): string {
  return text.split("\n").map(showable).join("\n");
}

function oneLine(text: string): string {
  return showable(text).replace(/\s+/g, " ").slice(0, 400);
}
