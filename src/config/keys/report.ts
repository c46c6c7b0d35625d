// Keys of [report]: what is told to whom, when, and by which way.
import type { KeyDefinition } from "./kind.ts";

const WEEK_MS = 604_800_000;

export const REPORT_KEYS = [
  {
    name: "report.to",
    kind: { is: "text" },
    fallback: "root",
    summary: "who gets the report",
    reason: "every Unix host has a root mailbox or an alias for it",
  },
  {
    name: "report.from",
    kind: { is: "text" },
    fallback: "",
    summary: "sender address; empty: telltale@HOST",
    reason: "some relays accept only known senders",
  },
  {
    name: "report.via",
    kind: { is: "choice", of: ["auto", "sendmail", "smtp", "file", "stdout", "none"] },
    fallback: "auto",
    summary: "how reports travel; auto: sendmail where it exists, else kept for `telltale report`",
    reason: "a local mailer queues and retries better than anybody else",
  },
  {
    name: "report.sendmail",
    kind: { is: "text" },
    fallback: "/usr/sbin/sendmail",
    summary: "the sendmail command",
    reason: "every Debian mailer provides this path",
  },
  {
    name: "report.smtp_host",
    kind: { is: "text" },
    fallback: "localhost",
    summary: 'SMTP server for via = "smtp"',
    reason: "a relay on this host is the common case",
  },
  {
    name: "report.smtp_port",
    kind: { is: "count", min: 1, max: 65_535 },
    fallback: 25,
    summary: "its port; 465 speaks TLS from the start",
    reason: "RFC 5321",
  },
  {
    name: "report.file",
    kind: { is: "text" },
    fallback: "",
    summary:
      'file to which each report is appended, whatever via says; for via = "file" empty means /var/log/telltale-report.txt',
    reason: "a mail that is lost leaves its report here",
  },
  {
    name: "report.smtp_user",
    kind: { is: "text" },
    fallback: "",
    summary: "user for the SMTP server; empty: no login",
    reason: "a relay on this host asks for none",
  },
  {
    name: "report.smtp_password_file",
    kind: { is: "text" },
    fallback: "",
    summary: "file whose first line is the password",
    reason: "a configuration is copied and shown more easily than a secret should be",
  },
  {
    name: "report.encrypt_to",
    kind: { is: "text" },
    fallback: "",
    summary:
      "file with the reader's OpenPGP public key: mails are encrypted to it by gpg; empty: sent in the clear",
    reason: "most reports stay on the host; one that leaves it tells strangers what is weak",
  },
  {
    name: "report.webhook",
    kind: { is: "url" },
    fallback: "",
    summary:
      "address that gets each report too, by HTTP POST; empty: none; for more than one see [webhook.NAME]",
    reason: "nothing leaves the host that was not asked for",
  },
  {
    name: "report.webhook_shape",
    kind: { is: "choice", of: ["generic", "slack", "mattermost", "ntfy"] },
    fallback: "generic",
    summary: "what the webhook understands; generic is JSON with subject and text",
    reason: "works with anything that can read JSON",
  },
  {
    name: "report.webhook_token_file",
    kind: { is: "text" },
    fallback: "",
    summary: "file whose first line is sent to the webhook as its bearer token (ntfy); empty: none",
    reason: "Slack and Mattermost have their secret in the address",
  },
  {
    name: "report.alerts",
    kind: { is: "switch" },
    fallback: false,
    summary: "tell attacks at once too, in batches, ever more seldom while they last",
    reason: "on the internet scans never end; the hourly report has them all",
  },
  {
    name: "report.heartbeat",
    kind: { is: "duration", minMs: 0, maxMs: 52 * WEEK_MS },
    fallback: "0s",
    summary: "send a report after this long even when there is no news; 0s: never",
    reason: "silence is good news, for those who trust it",
  },
  {
    name: "report.metrics_port",
    kind: { is: "count", min: 0, max: 65_535 },
    fallback: 0,
    summary: "port on 127.0.0.1 where Prometheus reads figures; 0: none",
    reason: "a port nobody asked for is a port to attack",
  },
  {
    name: "report.every",
    kind: { is: "schedule", minMs: 1_000, maxMs: WEEK_MS },
    fallback: "1h",
    summary: "when a report goes out, if there is something to say",
    reason: "logcheck's rhythm",
  },
] as const satisfies readonly KeyDefinition[];
