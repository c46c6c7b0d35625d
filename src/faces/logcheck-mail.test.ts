// What reaches the mailer, caught by a mailer of our own.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { gunzipSync } from "node:zlib";
import { deliverLogcheckReport, MailRefusedError } from "./logcheck-mail.ts";

function mailer(t: test.TestContext, status = 0): { command: string; mail: () => string } {
  const dir = mkdtempSync(join(tmpdir(), "telltale-mailer-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const command = join(dir, "sendmail");
  writeFileSync(command, `#!/bin/sh\ncat > ${dir}/mail\necho "$@" > ${dir}/arguments\nexit ${status}\n`);
  chmodSync(command, 0o755);
  return { command, mail: () => readFileSync(join(dir, "mail"), "latin1") };
}

const REPORT = Buffer.from("Security Events\n=-=\nNov 22 host \x1b[2J\n~!id\n.\n\xff\n", "latin1");
const MAIL = { to: "root", subject: "host now\nBcc: eve", host: "host", at: new Date(0) };

test("the report is the mail's text, with nothing in it that moves a cursor or adds a header", async (t) => {
  const { command, mail } = mailer(t);
  await deliverLogcheckReport(REPORT, { ...MAIL, attach: 0, command });
  const text = mail();
  assert.match(text, /^Auto-Submitted: auto-generated$/m);
  assert.match(text, /^Subject: host now.*Bcc: eve$/m);
  assert.doesNotMatch(text, /^Bcc:/m);
  assert.doesNotMatch(text, /\x1b|\xff/);
  assert.match(text, /\\x1b\[2J\r?\n/);
  assert.match(text, /\\xff/);
});

test("an attachment holds the bytes of the report, compressed when asked", async (t) => {
  const { command, mail } = mailer(t);
  const attached = () => {
    const [, encoded] =
      /filename=logcheck_report[\s\S]*?\r?\n\r?\n([A-Za-z0-9+/=\r\n]+)\r?\n--/.exec(mail()) ?? [];
    return Buffer.from(encoded ?? "", "base64");
  };
  await deliverLogcheckReport(REPORT, { ...MAIL, attach: 1, command });
  assert.deepEqual(attached(), REPORT);
  await deliverLogcheckReport(REPORT, { ...MAIL, attach: 2, command });
  assert.deepEqual(gunzipSync(attached()), REPORT);
});

test("a mailer that refuses is an error, so that nothing counts as read", async (t) => {
  const { command } = mailer(t, 75);
  await assert.rejects(deliverLogcheckReport(REPORT, { ...MAIL, attach: 0, command }), MailRefusedError);
  const missing = { ...MAIL, attach: 0 as const, command: "/nonexistent/sendmail" };
  await assert.rejects(deliverLogcheckReport(REPORT, missing), /cannot be run/);
});
