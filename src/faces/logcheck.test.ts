// The report of our logcheck held byte for byte against the real one's, over logs, rules and settings that are made
// up anew each time, and over Debian's rules.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, existsSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { accountOfLogcheck, IGNORES, LAYERS, Playground } from "./logcheck.playground.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 3);

function needs(t: test.TestContext): boolean {
  if (!existsSync("/usr/sbin/logcheck") || accountOfLogcheck() === null) {
    t.skip("needs logcheck: apt install logcheck");
    return false;
  }
  if (process.getuid?.() !== 0) {
    t.skip("needs root: the real logcheck runs as its own user");
    return false;
  }
  return true;
}

// Rules and lines share a small vocabulary, so that rules meet lines, each other and the rules that cancel them.
const WORDS = ["alpha", "beta", "gamma", "delta", "sshd", "su", "é", "x y", "42"];
const word = fc.constantFrom(...WORDS);
const rule = fc.oneof(
  { weight: 4, arbitrary: word },
  fc.tuple(word, word).map(([a, b]) => `${a}.*${b}`),
  fc.tuple(word, word).map(([a, b]) => `(${a}|${b})$`),
  word.map((a) => `^[[:alpha:]]{3} [ :0-9]{11} host ${a}`),
  word.map((a) => `${a}[[:space:]]+[[:alnum:]_]+$`),
  fc.constantFrom(
    "host \\w+ \\w+$",
    "^$",
    "^[^é]*$",
    "# a comment",
    "  ",
    "",
    "alpha ",
    "\\<su\\>",
    "(.)\\1",
    // What stands in files that people wrote by hand: a carriage return, a comment behind blanks, odd bytes, odd syntax.
    ...["beta\r", "\r", " # beta", "#", "\t", "\u00a0", "\u2003$", "alpha\0", "\xff", "é$", "[é]", "^.{30}$"],
    ...[
      "a{1",
      "*beta",
      "su||gamma",
      "(^|host )gamma",
      "delta$|^alpha",
      "\\.",
      "()",
      "gamma\\b",
      "su\\'",
      "\\s$",
    ],
    ...[
      "(su|sshd).*\\1",
      "^(.*) \\1$",
      "[[:cntrl:]]",
      "[^[:print:]]$",
      "x{3}",
      "\\W{2}",
      ".*",
      "$",
      "a^",
      "\\w+\\>",
    ],
  ),
);
const ruleFileName = fc.constantFrom(
  ...[
    "logcheck",
    "logcheck-ssh",
    "logchecx",
    "logchec",
    "ssh",
    "su",
    "local",
    "local-a",
    "localx",
    "not.a-rule",
  ],
);
const ruleFiles = fc.dictionary(ruleFileName, fc.array(rule, { maxLength: 4 }), { maxKeys: 5 });

const second = fc.integer({ min: 0, max: 20 });
const tail = fc.constantFrom(
  ...[
    "",
    "",
    "",
    "",
    "",
    " ",
    "\t ",
    "\r",
    "\r\r ",
    "\u2003",
    "\u00a0",
    "\0",
    "\xff",
    "\xff ",
    " \xff",
    "\v\f",
    "\u0085",
  ],
  ...[
    "\u001b[2J",
    "\ud83d\ude00",
    "\u3000",
    "\u200b",
    "\u2028",
    " alpha alpha",
    ` ${"long ".repeat(20_000)}`,
  ],
);
const line = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(second, fc.array(word, { minLength: 1, maxLength: 4 }), tail)
      .map(([at, words, end]) => `Nov 22 19:51:${String(at).padStart(2, "0")} host ${words.join(" ")}${end}`),
  },
  fc
    .tuple(fc.constantFrom("", " ", "\t", "  "), fc.array(word, { maxLength: 3 }), tail)
    .map(([lead, words, end]) => lead + words.join("  ") + end),
  tail,
);
// \xff stands for that byte alone, which is not UTF-8.
const log = fc
  .tuple(fc.array(line, { maxLength: 30 }), fc.boolean())
  .map(([lines, ended]) => bytesOf(lines.join("\n") + (ended && lines.length > 0 ? "\n" : "")));

function bytesOf(text: string): Uint8Array {
  return Buffer.concat(
    text.split(/(\xff)/).map((part) => (part === "\xff" ? Buffer.of(0xff) : Buffer.from(part))),
  );
}

const settings = fc.record(
  {
    REPORTLEVEL: fc.constantFrom("workstation", "server", "paranoid"),
    SORTUNIQ: fc.constantFrom("0", "1"),
    SUPPORT_CRACKING_IGNORE: fc.constantFrom("0", "1"),
    INTRO: fc.constantFrom("0", "1", "yes", "no"),
    SECURITYSUBJECT: fc.constantFrom("Security Events", "Événements"),
  },
  { requiredKeys: [] },
);

const scene = fc.record({
  locale: fc.constantFrom("C", "C.UTF-8"),
  settings,
  rules: fc.record(Object.fromEntries([...LAYERS, ...IGNORES].map((layer) => [layer, ruleFiles]))),
  logs: fc.dictionary(fc.constantFrom("syslog", "auth.log", "kern.log", "a/syslog"), log, { minKeys: 1 }),
  more: fc.dictionary(fc.constantFrom("syslog", "auth.log", "kern.log"), log),
  rotate: fc.constantFrom("nothing", "rename", "dateext", "truncate"),
  header: fc.boolean(),
  globbed: fc.boolean(),
  ruleEnd: fc.constantFrom("\n", "\n", "", "\r\n", "\n\n"),
});

test("reports byte for byte what logcheck reports, and marks the same as read, run after run", async (t) => {
  if (!needs(t)) return;
  await fc.assert(
    fc.asyncProperty(scene, async (made) => {
      const place = new Playground(null);
      try {
        place.configure(made.settings);
        for (const [layer, files] of Object.entries(made.rules)) {
          for (const [name, rules] of Object.entries(files))
            place.write(`rules/${layer}/${name}`, bytesOf(rules.join("\n") + made.ruleEnd));
        }
        if (made.header) {
          place.write("rules/header.txt", "Hello\n");
          place.write("rules/footer.txt", "Goodbye\n");
        }
        for (const [name, bytes] of Object.entries(made.logs)) place.write(`logs/${name}`, bytes);
        const listed = Object.keys(made.logs).map((name) => join(place.logs, name));
        const half = made.globbed ? [`${place.logs}/*.log`, `${place.logs}/none*`] : listed;
        place.write("list", `# logs\n\n${place.dir}/zero\n${half.join("\n")}\n${place.dir}/missing\n`);
        place.write("lists.d/more.logfiles", made.globbed ? `${place.logs}/[as]*/syslog\n` : " \n");
        place.write("lists.d/ignored", `${place.logs}/syslog\n`);
        await compare(place, made.locale);
        change(place, made.rotate, made.logs, made.more);
        await compare(place, made.locale);
        await compare(place, made.locale);
      } finally {
        place.remove();
      }
    }),
    { numRuns: RUNS },
  );
});

async function compare(place: Playground, locale: string): Promise<void> {
  const real = place.runReal(locale);
  const ours = await place.runOurs(locale);
  assert.equal(ours.report, real.report, `${locale}\n${real.errors}\n${ours.errors}`);
  assert.equal(ours.status, real.status, `${real.errors}\n${ours.errors}`);
  assert.deepEqual(place.offsets("ours"), place.offsets("real"));
}

type Logs = Record<string, Uint8Array>;

function change(place: Playground, how: string, logs: Logs, more: Logs): void {
  for (const name of Object.keys(logs)) {
    const path = join(place.logs, name);
    appendFileSync(path, "Nov 22 19:51:59 host last words before\n");
    if (how === "rename") renameSync(path, `${path}.1`);
    if (how === "dateext") renameSync(path, `${path}-20261122`);
    writeFileSync(path, more[basename(name)] ?? "Nov 22 19:52:00 host after\n", {
      flag: how === "nothing" ? "a" : "w",
    });
  }
}

test("reports what logcheck reports with Debian's own rules", async (t) => {
  if (!needs(t)) return;
  if (!existsSync("/etc/logcheck/ignore.d.server/ssh"))
    return t.skip("needs logcheck-database: apt install logcheck-database");
  const place = new Playground(t);
  const messages = [
    "sshd[812]: Failed password for invalid user admin from 192.0.2.7 port 40022 ssh2",
    "sshd[813]: Accepted publickey for root from 192.0.2.8 port 40022 ssh2: ED25519 SHA256:abc",
    "sudo: eve : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
    "sudo: eve : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
    "su[99]: (to root) eve on pts/0",
    "su[99]: FAILED SU (to root) eve on pts/0",
    "kernel: Oversized packet received from 192.0.2.9",
    "kernel: [  123.456789] usb 1-1: new high-speed USB device number 2 using xhci_hcd",
    "smartd[7]: Device: /dev/sda, 3 Currently unreadable (pending) sectors",
    "CRON[1]: pam_unix(cron:session): session closed for user root",
    "frobnicate[5]: gr\u00fc\u00dfe  ",
  ];
  const lines = Array.from({ length: 400 }, (_, i) => {
    const at = `${String(Math.floor(i / 60) + 10)}:${String(i % 60).padStart(2, "0")}`;
    return i % 3 === 0
      ? `2026-11-22T19:${at}.123456+00:00 host ${messages[(i * 7) % messages.length]}`
      : `Nov 22 19:${at} host ${messages[(i * 7) % messages.length]}`;
  });
  place.write("logs/syslog", `${lines.join("\n")}\n`);
  const options = ["-t", "-w", "-r", "/etc/logcheck"];
  const real = place.runReal("C.UTF-8", options);
  const ours = await place.runOurs("C.UTF-8", options);
  assert.equal(ours.report, real.report);
  assert.match(real.report, /Security Alerts for kernel/);
});

test("reads the journal as logcheck does, first-time notice included", async (t) => {
  if (!needs(t)) return;
  const remote = "/lib/systemd/systemd-journal-remote";
  if (!existsSync(remote)) return t.skip("needs systemd-journal-remote: apt install systemd-journal-remote");
  const place = new Playground(t);
  const now = Math.floor(Date.now() / 1000);
  const entries = ["attack one", "alpha", "attack two"].map(
    (message, i) =>
      `__REALTIME_TIMESTAMP=${now - 60 + i}000000\n__MONOTONIC_TIMESTAMP=${i}\n` +
      `_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=host\nSYSLOG_IDENTIFIER=prog\nMESSAGE=${message}\n\n`,
  );
  place.write("export", entries.join(""));
  const made = spawnSync(remote, ["-o", join(place.dir, "it.journal"), join(place.dir, "export")]);
  assert.equal(made.status, 0, made.stderr.toString());
  place.write("bin/journalctl", `#!/bin/sh\nexec /usr/bin/journalctl --file ${place.dir}/it.journal "$@"\n`);
  chmodSync(join(place.dir, "bin/journalctl"), 0o755);
  place.write("rules/cracking.d/x", "attack\n");
  place.write("rules/header.txt", "Hello\n");
  place.write("logs/syslog", "Jan  1 00:00:00 host from a file\n");
  place.write("list", `journal\n${place.logs}/syslog\n`);
  const path = `${place.dir}/bin:${process.env["PATH"]}`;
  const real = place.runReal("C.UTF-8", [], path);
  const ours = await place.runOurs("C.UTF-8", [], path);
  assert.equal(ours.report, real.report);
  assert.match(ours.report, /^This is the first time.*\n.*\n.*\nHello\nSecurity Alerts for x\n/);
  const again = await place.runOurs("C.UTF-8", [], path);
  assert.equal(again.report, "");
});

test("runs syslog-summary over each section as logcheck does", async (t) => {
  if (!needs(t)) return;
  const place = new Playground(t);
  place.write("summary", "#!/bin/sh\necho Summarizing $1\nsed s/^/sum:/ $1\necho Summarizing is done\n");
  chmodSync(join(place.dir, "summary"), 0o755);
  place.configure({ SYSLOG_SUMMARY: join(place.dir, "summary"), SYSLOGSUMMARY: "1" });
  place.write("rules/violations.d/x", "bad\n");
  place.write(
    "logs/syslog",
    "Nov 22 19:51:03 host bad \nNov 22 19:51:02 host odd\nNov 22 19:51:01 host odd\n",
  );
  const real = place.runReal("C");
  const ours = await place.runOurs("C");
  assert.equal(ours.report, real.report);
  assert.match(ours.report, /sum:Nov 22 19:51:03 host bad\n/);
});

test("the two can take turns on one state directory, and no line is lost or told twice", async (t) => {
  if (!needs(t)) return;
  const place = new Playground(t);
  const log = join(place.logs, "syslog");
  place.write("list", `${log}\n`);
  const shared = ["-S", join(place.dir, "real")];
  const told: string[] = [];
  for (let turn = 0; turn < 6; turn++) {
    appendFileSync(log, `Nov 22 19:51:0${turn} host turn ${turn}\n`);
    if (turn === 3) {
      renameSync(log, `${log}.1`);
      writeFileSync(log, "Nov 22 19:51:03 host after the rotation\n");
    }
    const { report } = turn % 2 === 0 ? place.runReal("C", shared) : await place.runOurs("C", shared);
    told.push(...report.split("\n").filter((text) => text.startsWith("Nov")));
  }
  const turns = told.map((text) => text.slice(21));
  assert.deepEqual(turns, ["turn 0", "turn 1", "turn 2", "turn 3", "after the rotation", "turn 4", "turn 5"]);
});

test("the mail goes to whom, and is called what, logcheck says", async (t) => {
  if (!needs(t)) return;
  const place = new Playground(t);
  place.write("rules/cracking.d/x", "attack\n");
  place.write("rules/violations.d/x", "bad\n");
  const date = { DATE: "Sunday" };
  const cases: [Record<string, string>, string, string[]][] = [
    [date, "attack\nbad\nodd\n", ["-H", "here"]],
    [date, "bad\nodd\n", ["-H", "here", "-R", "-m", "eve@example.org"]],
    [date, "odd\n", ["-Hhere"]],
    [{ ...date, ADDTAG: "yes", SENDMAILTO: "adm", EVENTSSUBJECT: "News" }, "odd\n", ["-R", "-H", "here"]],
    [date, "odd\n", []],
    [{ ...date, FQDN: "1" }, "odd\n", []],
    [{ ...date, ADDTAG: "yes" }, "odd\n", ["-R", "-l", join(place.dir, "missing")]],
  ];
  for (const [settings, log, extra] of cases) {
    place.configure(settings);
    place.write("logs/syslog", log);
    const real = place.mailReal(["-t", ...extra]);
    assert.deepEqual(await place.mailOurs(["-t", ...extra]), real);
    assert.match(real.subject, /Sunday/);
  }
});
