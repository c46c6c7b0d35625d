import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { HOSTILE } from "../fixtures/events.ts";
import { MESSAGE, readMail, scratch, unquoted } from "../fixtures/mail.ts";
import { shownLine } from "../fold.ts";
import { isLoopback } from "./loopback.ts";
import type { DeliveryError } from "./refusal.ts";
import { sendBySmtp } from "./smtp.ts";

const NEEDS_OPENSSL = "needs openssl: apt install openssl";

// A key and a certificate that signs itself, or null without openssl.
const PAIR = ((): { key: string; cert: string } | null => {
  using place = scratch();
  const [key, cert] = [join(place.dir, "key.pem"), join(place.dir, "cert.pem")];
  const args =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(" ");
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:0.0.0.0"];
  try {
    execFileSync("openssl", [...args, ...names, "-keyout", key, "-out", cert], { stdio: "ignore" });
  } catch {
    return null; // The tests that need it name it as missing.
  }
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
})();

// Without a pair of its own the server offers STARTTLS with one whose key everybody knows, and says so aloud.
const PLAIN = { disabledCommands: ["STARTTLS", "AUTH"] };

type Got = { from: string; to: string[]; raw: string; secure: boolean; user: string };

async function server(options: SMTPServerOptions, host = "127.0.0.1") {
  const got: Got[] = [];
  const smtp = new SMTPServer({
    disableReverseLookup: true,
    authOptional: true,
    ...options,
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      stream.on("data", (part: Buffer) => parts.push(part));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        got.push({
          from: mailFrom === false ? "" : mailFrom.address,
          to: rcptTo.map((each) => each.address),
          raw: Buffer.concat(parts).toString("latin1"),
          secure: session.secure === true,
          user: String(session.user ?? ""),
        });
        done();
      });
    },
  });
  // A client that breaks off is what some of these tests are about.
  smtp.on("error", () => {});
  await new Promise<void>((resolve) => smtp.listen(0, host, () => resolve()));
  const { port } = smtp.server.address() as AddressInfo;
  return {
    got,
    port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => smtp.close(() => resolve())),
  };
}

const route = (port: number, more: object = {}) =>
  ({
    via: "smtp",
    host: "127.0.0.1",
    port,
    to: "root@example.org",
    from: "guard@example.org",
    timeoutMs: 20_000,
    ...more,
  }) as const;

test("delivers to a plain server, dots and all", async () => {
  await using smtp = await server(PLAIN);
  await sendBySmtp(MESSAGE, route(smtp.port, { to: "root@example.org, two@example.org" }));
  const [mail] = smtp.got;
  assert.deepEqual([mail!.from, mail!.to], ["guard@example.org", ["root@example.org", "two@example.org"]]);
  assert.equal(unquoted(readMail(mail!.raw).body).trimEnd(), MESSAGE.text.trimEnd());
});

test("whatever stands in a report arrives as it was written, and ends no command", async () => {
  await using smtp = await server(PLAIN);
  const text = fc.array(
    fc.oneof(fc.constantFrom(...HOSTILE, ".", "..", ".\tx", "From x", "QUIT"), fc.string()),
  );
  await fc.assert(
    fc.asyncProperty(text, async (lines) => {
      const sent = `${lines.map(shownLine).join("\n")}\nend\n`;
      await sendBySmtp({ ...MESSAGE, text: sent }, route(smtp.port));
      const { headers, body } = readMail(smtp.got.pop()!.raw);
      const quoted = headers.some((each) => /^Content-Transfer-Encoding: quoted-printable$/.test(each));
      assert.equal((quoted ? unquoted(body) : body).trimEnd(), sent.toWellFormed().trimEnd());
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 20) },
  );
  assert.equal(smtp.got.length, 0, "one mail became two");
});

test("uses STARTTLS and a login where they are offered", async (t) => {
  if (PAIR === null) return t.skip(NEEDS_OPENSSL);
  await using smtp = await server({
    ...PAIR,
    onAuth: (auth, _session, done) =>
      auth.username === "me" && auth.password === "secret"
        ? done(null, { user: "me" })
        : done(new Error("bad login")),
  });
  await sendBySmtp(MESSAGE, route(smtp.port, { auth: { user: "me", pass: "secret" } }));
  assert.deepEqual([smtp.got[0]!.secure, smtp.got[0]!.user], [true, "me"]);
  return undefined;
});

test("names a refused login without showing the password", async (t) => {
  if (PAIR === null) return t.skip(NEEDS_OPENSSL);
  await using smtp = await server({
    ...PAIR,
    onAuth: (_auth, _session, done) => done(new Error("bad login")),
  });
  const wrong = route(smtp.port, { auth: { user: "me", pass: "s3cr3t-pass" } });
  await assert.rejects(sendBySmtp(MESSAGE, wrong), (error: DeliveryError) => {
    assert.match(error.message, /refused the login/);
    assert.doesNotMatch(JSON.stringify([error.message, error.mend]), /s3cr3t-pass/);
    return true;
  });
  return undefined;
});

test("speaks TLS from the start, and trusts what the named authority signed", async (t) => {
  if (PAIR === null) return t.skip(NEEDS_OPENSSL);
  // 0.0.0.0 leads here, but is none of loopback's names, for which certificates do not matter.
  await using smtp = await server({ secure: true, ...PAIR }, "0.0.0.0");
  const far = route(smtp.port, { host: "0.0.0.0", secure: true });
  await assert.rejects(sendBySmtp(MESSAGE, far), /self.signed certificate/);
  await sendBySmtp(MESSAGE, { ...far, ca: PAIR.cert });
  assert.deepEqual(
    smtp.got.map((each) => each.secure),
    [true],
  );
  return undefined;
});

test("never sends a password in the clear to another host", async () => {
  // The name leads to this host, but is none that loopback's leniency covers.
  await using smtp = await server(
    {
      disabledCommands: ["STARTTLS"],
      allowInsecureAuth: true,
      onAuth: (_a, _s, done) => done(null, { user: "x" }),
    },
    "0.0.0.0",
  );
  const far = route(smtp.port, { host: "0.0.0.0", auth: { user: "me", pass: "secret" } });
  await assert.rejects(sendBySmtp(MESSAGE, far), (error: DeliveryError) => /no safe TLS/.test(error.message));
  assert.equal(smtp.got.length, 0);
});

test("does not trust an unknown certificate of another host", async (t) => {
  if (PAIR === null) return t.skip(NEEDS_OPENSSL);
  await using smtp = await server(PAIR, "0.0.0.0");
  await assert.rejects(
    sendBySmtp(MESSAGE, route(smtp.port, { host: "0.0.0.0" })),
    /no safe TLS|certificate/i,
  );
  assert.equal(smtp.got.length, 0);
});

test("tells refused for good from refused for now", async () => {
  const refusing = (responseCode: number) =>
    server({
      ...PLAIN,
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error("go away"), { responseCode })),
    });
  await using forGood = await refusing(550);
  await assert.rejects(sendBySmtp(MESSAGE, route(forGood.port)), (error: DeliveryError) => {
    assert.match(error.message, /refused the report \(550\): 550 go away/);
    return !error.worthRetrying;
  });
  await using forNow = await refusing(451);
  await assert.rejects(sendBySmtp(MESSAGE, route(forNow.port)), { worthRetrying: true });
});

test("says when only some recipients were taken", async () => {
  await using smtp = await server({
    ...PLAIN,
    onRcptTo: (address, _session, done) =>
      address.address.startsWith("no") ? done(new Error("unknown")) : done(),
  });
  await assert.rejects(
    sendBySmtp(MESSAGE, route(smtp.port, { to: "yes@example.org, no@example.org" })),
    /took the report for some, but not for no@example\.org/,
  );
});

test("gives up on a server that is not there, says nothing, or talks nonsense", async () => {
  const closed = await server(PLAIN);
  await closed[Symbol.asyncDispose]();
  await assert.rejects(sendBySmtp(MESSAGE, route(closed.port)), /ECONNREFUSED/);
  for (const greeting of ["", "\x1b[2Jnonsense\r\n", "220"]) {
    const mute = createServer((socket) => {
      socket.on("error", () => {});
      socket.write(greeting);
    });
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const { port } = mute.address() as AddressInfo;
    try {
      await assert.rejects(sendBySmtp(MESSAGE, route(port, { timeoutMs: 300 })), (error: DeliveryError) => {
        assert.equal(error.worthRetrying, true);
        assert.doesNotMatch(error.message, /\x1b/);
        return true;
      });
    } finally {
      mute.close();
    }
  }
});

test("knows loopback by its names only", () => {
  for (const host of ["localhost", "127.0.0.1", "127.8.9.10", "::1"]) assert.ok(isLoopback(host));
  for (const host of ["127.0.0.1.example.org", "0.0.0.0", "localhost.example.org", "10.0.0.1"])
    assert.ok(!isLoopback(host));
});
