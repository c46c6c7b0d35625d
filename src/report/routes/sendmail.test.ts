import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { busyHour, HOSTILE } from "../fixtures/events.ts";
import { MESSAGE, mailer, RECORD, readMail, scratch, unquoted } from "../fixtures/mail.ts";
import { composeReport } from "../message.ts";
import { buildMail, mailboxes } from "./mime.ts";
import { DeliveryError } from "./refusal.ts";
import { sendBySendmail } from "./sendmail.ts";

process.env["TZ"] = "UTC";

test("gives sendmail recipients as arguments and a whole mail as input, without a shell", async () => {
  using place = scratch();
  const command = mailer(place.dir, RECORD);
  await sendBySendmail(MESSAGE, { via: "sendmail", to: "root, you@example.org", command });
  assert.deepEqual(readFileSync(join(place.dir, "argv"), "utf8").trim().split("\n"), [
    "-i",
    "--",
    "root",
    "you@example.org",
  ]);
  const { headers, body } = readMail(readFileSync(join(place.dir, "mail"), "utf8"));
  assert.ok(headers.includes("Auto-Submitted: auto-generated"));
  assert.ok(headers.includes("Subject: web1 2026-11-22 20:00 Active System Attack Alerts"));
  assert.ok(headers.includes("From: telltale <telltale@web1>"));
  assert.equal(unquoted(body).trimEnd(), MESSAGE.text.trimEnd());
});

test("tells sendmail the sender when one is configured", async () => {
  using place = scratch();
  const command = mailer(place.dir, RECORD);
  await sendBySendmail(MESSAGE, { via: "sendmail", to: "root", from: "guard@example.org", command });
  assert.match(readFileSync(join(place.dir, "argv"), "utf8"), /^-i\n-f\nguard@example\.org\n--\nroot\n$/);
});

test("the whole mail of a busy hour", async (t) => {
  const message = composeReport({
    host: "web1",
    from: new Date("2026-11-22T19:00:00Z"),
    to: new Date("2026-11-22T20:00:00Z"),
    mode: "block",
    events: busyHour(),
    blocksInForce: [],
    pid: 812,
  })!;
  const plain = { ...message, id: MESSAGE.id, attachments: [] };
  const mail = await buildMail(plain, { from: "telltale@web1", to: ["root"] }, "\n");
  t.assert.fileSnapshot(mail.toString("latin1"), "src/report/fixtures/mail.snapshot", {
    serializers: [String],
  });
  for (const each of mail.toString("latin1").split("\n")) assert.ok(each.length <= 998);
});

test("refuses recipients that are options, commands or headers", async () => {
  for (const bad of [
    "-C/etc/evil",
    "a b",
    "root\nBcc: x",
    "|id",
    "a@b@c",
    '"q u"@x.org',
    "",
    " , ",
    "x@-y",
    "a\0b",
    "a;id",
  ]) {
    assert.throws(() => mailboxes(bad, "report.to"), DeliveryError, bad);
  }
  assert.deepEqual(mailboxes("root, a.b+c@example.org", "report.to"), ["root", "a.b+c@example.org"]);
});

const HEADERS = new Set([
  "Auto-Submitted",
  "Content-Transfer-Encoding",
  "Content-Type",
  "Date",
  "MIME-Version",
  "Message-ID",
  "Subject",
  "To",
  "X-Auto-Response-Suppress",
  "X-Telltale-Host",
]);

test("no text makes a header of its own or ends the mail early", async () => {
  const text = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary", maxLength: 300 }));
  await fc.assert(
    fc.asyncProperty(text, text, text, async (subject, body, host) => {
      const message = { ...MESSAGE, subject, text: body, host };
      for (const end of ["\n", "\r\n"] as const) {
        const raw = (await buildMail(message, { from: null, to: ["root"] }, end)).toString("latin1");
        const names = readMail(raw).headers.map((each) => each.slice(0, each.indexOf(":")));
        assert.deepEqual(
          names.filter((name) => !HEADERS.has(name)),
          [],
        );
        assert.equal(new Set(names).size, names.length, "a header stands there twice");
        for (const line of raw.split(end))
          assert.ok(line.length <= 998 && !/[\x00\r\n]/.test(line), JSON.stringify(line));
      }
    }),
  );
});

test("a mailer that is missing, refuses or is busy is named with its last words", async () => {
  using place = scratch();
  const missing = join(place.dir, "none");
  await assert.rejects(
    sendBySendmail(MESSAGE, { via: "sendmail", to: "root", command: missing }),
    (error: DeliveryError) => {
      assert.match(error.message, /none cannot be run: ENOENT/);
      assert.match(error.mend, /apt install/);
      return error.worthRetrying;
    },
  );
  const refusing = mailer(place.dir, 'echo "no such user\x1b[2J" >&2; exit 67');
  await assert.rejects(
    sendBySendmail(MESSAGE, { via: "sendmail", to: "root", command: refusing }),
    (error: DeliveryError) => {
      assert.match(error.message, /ended with status 67: no such user\\x1b\[2J$/);
      return !error.worthRetrying;
    },
  );
  const busy = mailer(place.dir, "exit 75");
  await assert.rejects(sendBySendmail(MESSAGE, { via: "sendmail", to: "root", command: busy }), {
    worthRetrying: true,
  });
});

test("a mailer that hangs is ended with all it started", async () => {
  using place = scratch();
  const command = mailer(place.dir, 'sleep 600 & echo $! >"$HERE/child"; cat >/dev/null; wait');
  const route = { via: "sendmail", to: "root", command, timeoutMs: 2_000 } as const;
  await assert.rejects(sendBySendmail(MESSAGE, route), /did not answer within 2 s and was ended/);
  const child = readFileSync(join(place.dir, "child"), "utf8").trim();
  await until("the mailer's child is gone", () => !alive(child));
});

test("a mailer that closes its input early is judged by its exit status", async () => {
  using place = scratch();
  const command = mailer(place.dir, "exec <&-; exit 0");
  await sendBySendmail({ ...MESSAGE, text: "x".repeat(5_000_000) }, { via: "sendmail", to: "root", command });
});

test("explains a mailer that fails because the process may gain no rights", async (t) => {
  using place = scratch();
  const command = mailer(place.dir, 'echo "Failed to create spool file: Permission denied" >&2; exit 1');
  const script = join(place.dir, "child.ts");
  writeFileSync(
    script,
    `import { sendBySendmail } from "${new URL("sendmail.ts", import.meta.url).href}";
     import { MESSAGE } from "${new URL("../fixtures/mail.ts", import.meta.url).href}";
     await sendBySendmail(MESSAGE, { via: "sendmail", to: "root", command: "${command}" }).catch((error) => console.log(error.mend));`,
  );
  try {
    const said = execFileSync("setpriv", ["--no-new-privs", process.execPath, script], { encoding: "utf8" });
    assert.match(said, /no-new-privs.*set via = "smtp"/);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    t.skip("needs setpriv: apt install util-linux");
  }
});

function alive(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false; // No such process: what the test waits for.
  }
}

async function until(what: string, holds: () => boolean, timeoutMs = 5_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
