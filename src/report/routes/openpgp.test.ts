import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { MESSAGE, mailer, RECORD, readMail, scratch, unquoted } from "../fixtures/mail.ts";
import { buildMail } from "./mime.ts";
import type { DeliveryError } from "./refusal.ts";
import { sendBySendmail } from "./sendmail.ts";

const GPG = "/usr/bin/gpg";
const NEEDS_GPG = "needs gpg: apt install gpg gpg-agent";

// A reader's key ring with one key, and that key as it would be exported to a server; null without gpg.
function reader(
  dir: string,
): { gpg: (...args: string[]) => Buffer; keyFile: string; close: () => void } | null {
  if (!existsSync(GPG)) return null;
  const gpg = (...args: string[]) =>
    execFileSync(
      GPG,
      [
        "--homedir",
        dir,
        "--batch",
        "--quiet",
        "--no-tty",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
        ...args,
      ],
      {
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
  try {
    gpg("--quick-generate-key", "Admin <admin@example.org>", "rsa2048", "encrypt,sign", "never");
  } catch {
    return null;
  }
  const keyFile = join(dir, "admin.asc");
  writeFileSync(keyFile, gpg("--armor", "--export", "admin@example.org"));
  return {
    gpg,
    keyFile,
    close: () => void execFileSync("gpgconf", ["--homedir", dir, "--kill", "all"], { stdio: "ignore" }),
  };
}

test("a mail for an OpenPGP key shows nothing of the report, and the key's owner reads all of it", async (t) => {
  using place = scratch();
  const admin = reader(place.dir);
  if (admin === null) return t.skip(NEEDS_GPG);
  try {
    const command = mailer(place.dir, RECORD);
    await sendBySendmail(MESSAGE, { via: "sendmail", to: "root", command, encryptTo: admin.keyFile });
    const raw = readFileSync(join(place.dir, "mail"), "utf8");
    assert.doesNotMatch(raw, /Active System Attack|first line|last line/);
    const { headers, body } = readMail(raw);
    assert.ok(headers.includes("Subject: telltale report of web1 (encrypted)"));
    assert.ok(headers.includes("Auto-Submitted: auto-generated"));
    assert.match(
      headers.join("\n"),
      /^Content-Type: multipart\/encrypted; protocol="application\/pgp-encrypted"/m,
    );
    assert.match(
      body,
      /Content-Type: application\/pgp-encrypted\nContent-Transfer-Encoding: 7bit\n\nVersion: 1\n/,
    );
    const armoured = /-----BEGIN PGP MESSAGE-----[\s\S]*-----END PGP MESSAGE-----/.exec(body)![0];
    const wire = await buildMail(MESSAGE, { from: null, to: ["root"] }, "\r\n", admin.keyFile);
    assert.doesNotMatch(wire.toString("latin1").replaceAll("\r\n", ""), /[\r\n]/);
    writeFileSync(join(place.dir, "sealed.asc"), `${armoured}\n`);
    const inner = readMail(admin.gpg("--decrypt", join(place.dir, "sealed.asc")).toString("utf8"));
    assert.ok(inner.headers.includes(`Subject: ${MESSAGE.subject}`));
    assert.match(
      inner.headers.join("\n"),
      /^Content-Type: text\/plain; protected-headers="v1"; charset=utf-8$/m,
    );
    assert.equal(unquoted(inner.body).trimEnd(), MESSAGE.text.trimEnd());
  } finally {
    admin.close();
  }
  return undefined;
});

test("what cannot be encrypted is not sent", async (t) => {
  if (!existsSync(GPG)) return t.skip(NEEDS_GPG);
  using place = scratch();
  const command = mailer(place.dir, RECORD);
  const noKey = join(place.dir, "nokey.asc");
  writeFileSync(noKey, "this is no key\n");
  for (const encryptTo of [noKey, join(place.dir, "missing.asc")]) {
    const route = { via: "sendmail", to: "root", command, encryptTo } as const;
    await assert.rejects(sendBySendmail(MESSAGE, route), (error: DeliveryError) => {
      assert.match(
        error.message,
        /^the report could not be encrypted, so it was not sent: gpg ended with status 2: /,
      );
      assert.match(error.mend, /gpg --show-keys/);
      return true;
    });
  }
  assert.ok(!existsSync(join(place.dir, "mail")));
  return undefined;
});
