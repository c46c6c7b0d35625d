import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { gatherImport } from "./gather.ts";
import { rootWith, roundTrip, told } from "./import.playground.ts";
import { interpolate, parseIni } from "./ini/parse.ts";
import { PEERS } from "./types.ts";

const TELLTALE = join(import.meta.dirname, "../../../bin/telltale");

test("PortSentry that blocked: its ports become tripwires, its ignore files the allow list", (t) => {
  const root = rootWith(t, {
    "etc/portsentry/portsentry.conf": [
      'TCP_PORTS="1,11,15-17"',
      'UDP_PORTS="69"',
      'IGNORE_FILE="/etc/portsentry/mine"',
      'BLOCK_TCP="1"',
      'BLOCK_UDP="0"',
      'KILL_ROUTE="/sbin/iptables -I INPUT -s $TARGET$ -j DROP"',
      'KILL_HOSTS_DENY="ALL: $TARGET$"',
      'KILL_RUN_CMD="/bin/true $TARGET$"',
      'SCAN_TRIGGER="0"',
      'PORT_BANNER="go away"',
      "NO_SUCH_KEY=1",
    ].join("\n"),
    "etc/default/portsentry": '# modes\nTCP_MODE="atcp"\n',
    "etc/portsentry/mine": "# mine\n192.0.2.0/24\n127.0.0.1\nnonsense\n",
  });
  const imported = gatherImport(root, PEERS);
  const { lines, keys } = told(imported);
  assert.deepEqual(keys, {
    "respond.mode": "block",
    "respond.backend": "iptables",
    "respond.allow": ["192.0.2.0/24"],
    "sentry.tripwire_ports": [1, 11, 15, 16, 17],
  });
  assert.ok(lines.includes("changed TCP_MODE atcp"));
  assert.ok(lines.includes("changed UDP_PORTS 69"), lines.join("\n"));
  assert.ok(lines.includes("changed KILL_HOSTS_DENY ALL: $TARGET$"));
  assert.ok(lines.includes("unsupported KILL_RUN_CMD /bin/true $TARGET$"));
  assert.ok(lines.includes("unsupported PORT_BANNER go away"));
  assert.ok(lines.includes("unsupported NO_SUCH_KEY 1"));
  assert.ok(lines.includes("unsupported ignore nonsense"));
  roundTrip(root, imported);
});

test("PortSentry that only logged leaves the guard observing", (t) => {
  const conf =
    'TCP_PORTS="1,11"\nBLOCK_TCP="0"\nBLOCK_UDP="0"\nKILL_ROUTE="/sbin/route add -host $TARGET$ reject"\n';
  const { keys } = told(
    gatherImport(rootWith(t, { "etc/portsentry/portsentry.conf": conf }), ["portsentry"]),
  );
  assert.deepEqual(keys, {});
});

test("logcheck's level, reader and time become keys; its rules and lists are read where they are", (t) => {
  const root = rootWith(t, {
    "etc/logcheck/logcheck.conf": 'REPORTLEVEL="paranoid"\nSENDMAILTO="ops@example.org"\nINTRO=0\nrm -rf /\n',
    "etc/logcheck/logcheck.logfiles": "# logs\n/var/log/syslog\n/var/log/auth.log\n",
    "etc/logcheck/ignore.d.server/ssh": "^.*$\n",
    "etc/cron.d/logcheck":
      "PATH=/bin\n@reboot logcheck nice /usr/sbin/logcheck -R\n2 * * * *  logcheck  nice /usr/sbin/logcheck\n",
  });
  const imported = gatherImport(root, ["logcheck"]);
  const { lines, keys } = told(imported);
  assert.deepEqual(keys, {
    "check.level": "paranoid",
    "report.to": "ops@example.org",
    "report.every": "2 * * * *",
  });
  for (const line of ["unsupported INTRO 0", "honoured log /var/log/auth.log", "honoured 1 file of rules"])
    assert.ok(lines.includes(line), lines.join("\n"));
  assert.ok(
    imported.directives.some(({ fate, because }) => fate === "unsupported" && /rm -rf/.test(because)),
  );
  roundTrip(root, imported);
});

test("logrotate's directives are honoured where they are, and what is wrong with them is said", (t) => {
  const root = rootWith(t, {
    "etc/logrotate.conf": "weekly\nrotate 4\ninclude /etc/logrotate.d\n",
    "etc/logrotate.d/app":
      "/var/log/app.log {\n  daily\n  rotate lots\n  wekly\n  errors a@example.org\n  create 0640 no-such-user adm\n  postrotate\n    true\n  endscript\n}\n",
    "etc/logrotate.d/app.dpkg-old": "nonsense\n",
  });
  const imported = gatherImport(root, ["logrotate"]);
  const { lines, keys } = told(imported);
  assert.deepEqual(keys, {});
  for (const line of [
    "honoured weekly",
    "honoured include /etc/logrotate.d",
    "unsupported rotate lots",
    "changed errors a@example.org",
    "honoured create 0640 no-such-user adm",
    "honoured postrotate",
  ])
    assert.ok(lines.includes(line), `${line} of\n${lines.join("\n")}`);
  assert.ok(lines.some((line) => line.startsWith("unsupported wekly")));
  assert.ok(!imported.directives.some(({ file }) => file.endsWith("dpkg-old")));
});

test("of two programs that want one key differently the first holds, and the other is told", (t) => {
  const root = rootWith(t, {
    "etc/logcheck/logcheck.conf": 'SENDMAILTO="one@example.org"\n',
    "etc/fail2ban/jail.local": "[DEFAULT]\ndestemail = two@example.org\nignoreip = 192.0.2.1\n",
    "etc/portsentry/portsentry.conf": "",
    "etc/portsentry/portsentry.ignore": "192.0.2.2\n",
  });
  const imported = gatherImport(root, PEERS);
  const { keys } = told(imported);
  assert.equal(keys["report.to"], "one@example.org");
  assert.deepEqual(keys["respond.allow"], ["192.0.2.2", "192.0.2.1"]);
  const other = imported.directives.find(({ name }) => name === "destemail")!;
  assert.equal(other.fate, "changed");
  assert.match(other.because, /report\.to is what \/etc\/logcheck\/logcheck\.conf:1 says/);
  roundTrip(root, imported);
});

test("hostile files cost bounded work, and never more than a file that reads back", async (t) => {
  const token = fc.constantFrom(
    ...'[DEFAULT] ignoreip bantime = : %(a)s %( BLOCK_TCP="1" TCP_PORTS=1-65535 { } include /etc/logrotate.conf daily'.split(
      " ",
    ),
    ...[
      "\u0000",
      "\u001b[2J",
      "\u202e",
      '"',
      "'",
      "\\",
      "`id`",
      "$(id)",
      "REPORTLEVEL=",
      "\u007f",
      "é",
      "#",
      ";",
    ],
  );
  const text = fc.array(fc.oneof(token, fc.string()), { maxLength: 40 }).map((parts) => parts.join(""));
  const lines = fc.array(text, { maxLength: 30 }).map((all) => all.join("\n"));
  const root = rootWith(t, {});
  const paths = [
    "etc/logrotate.conf",
    "etc/logcheck/logcheck.conf",
    "etc/logcheck/logcheck.logfiles",
    "etc/cron.d/logcheck",
    "etc/portsentry/portsentry.conf",
    "etc/portsentry/portsentry.ignore",
    "etc/fail2ban/jail.local",
  ];
  for (const path of paths) mkdirSync(dirname(join(root, path)), { recursive: true });
  fc.assert(
    fc.property(fc.tuple(...paths.map(() => lines)), (texts) => {
      for (const [index, path] of paths.entries()) writeFileSync(join(root, path), texts[index]!);
      roundTrip(root, gatherImport(root, PEERS));
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 60) },
  );
});

test("what is no file, or far too large, is passed by and told", (t) => {
  const root = rootWith(t, { "etc/logcheck/logcheck.conf": "#".repeat(1_000_001) });
  mkdirSync(join(root, "etc/portsentry/portsentry.conf"), { recursive: true });
  mkdirSync(join(root, "etc/fail2ban"));
  assert.equal(spawnSync("mkfifo", [join(root, "etc/fail2ban/jail.local")]).status, 0);
  const { directives, troubles } = gatherImport(root, PEERS);
  assert.deepEqual(directives, []);
  assert.deepEqual(troubles, ["/etc/logcheck/logcheck.conf: larger than 1000000 bytes; not read"]);
});

test("values that stand for each other for ever come to an end", () => {
  const known: Record<string, string> = { a: "%(b)s", b: "%(a)s", c: "%(c)s%(c)s", d: "x%(e)s", e: "y" };
  const lookUp = (name: string) => known[name];
  assert.equal(interpolate("%(a)s", lookUp), null);
  assert.equal(interpolate("%(c)s", lookUp), null);
  assert.equal(interpolate("%(d)s", lookUp), "xy");
  assert.equal(
    parseIni("a = 1\n  2\n\n  3\n[x]\nb: 4 ; no\n")
      .map(({ name, value }) => `${name}=${value}`)
      .join(" "),
    "a=1 2 b=4",
  );
});

test("Debian's shipped files: nothing is lost without a word, and what comes of them is safe", (t) => {
  if (!existsSync("/etc/logcheck/logcheck.conf")) return t.skip("needs logcheck: apt install logcheck");
  const root = rootWith(t, {});
  const imported = gatherImport("/", PEERS);
  assert.deepEqual(imported.troubles, []);
  roundTrip(root, imported);
  const { keys } = told(imported);
  assert.equal(keys["respond.mode"], undefined, "the shipped configuration blocks nobody");
  const rotated = imported.directives.filter(({ file }) =>
    /\/(logrotate\.conf|apt|dpkg|alternatives)$/.test(file),
  );
  assert.ok(rotated.length > 10);
  assert.deepEqual(
    rotated.filter(({ fate }) => fate === "unsupported"),
    [],
  );
});

test("the command writes a new file only, and lists every directive", (t) => {
  const root = rootWith(t, { "etc/fail2ban/jail.local": "[DEFAULT]\nbantime = 20m\n" });
  const run = (...args: string[]) =>
    spawnSync(TELLTALE, ["import", "--root", root, ...args], { encoding: "utf8" });
  const file = join(root, "new.toml");
  const first = run("--write", file);
  assert.equal(first.status, 0, first.stderr);
  assert.match(
    first.stdout,
    /^honoured +\/etc\/fail2ban\/jail\.local:2: bantime 20m: becomes respond\.block_for$/m,
  );
  assert.match(
    readFileSync(file, "utf8"),
    /# \/etc\/fail2ban\/jail\.local:2: bantime 20m\nblock_for = "20m"\n/,
  );
  const again = run("--write", file);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /is there already\n {4}mend: /);
  assert.match(run("--write", "-").stdout, /^# Made by telltale import from 1 file\./);
  assert.match(run().stdout, /1 directives?: 1 honoured[\s\S]*block_for = "20m"/);
  const wrong = run("--from", "ufw");
  assert.equal(wrong.status, 64);
  assert.match(wrong.stderr, /mend: --from logrotate,logcheck,portsentry,fail2ban/);
});

test("where there is nothing to take over it says so, and shows no empty file", (t) => {
  const run = (root: string) => spawnSync(TELLTALE, ["import", "--root", root], { encoding: "utf8" }).stdout;
  const empty = rootWith(t, {});
  assert.equal(run(empty), `no configuration of logrotate, logcheck, portsentry, fail2ban below ${empty}\n`);
  const rotating = rootWith(t, { "etc/logrotate.conf": "weekly\n" });
  assert.match(
    run(rotating),
    /\n1 directive: 1 honoured, .*\nnothing of it has to be written into a telltale\.toml\n$/,
  );
});
