// fail2ban's settings, read as fail2ban reads them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import fc from "fast-check";
import { parseDurationMs } from "../../core/duration.ts";
import { gatherImport } from "./gather.ts";
import { rootWith, roundTrip, told } from "./import.playground.ts";

test("fail2ban's [DEFAULT] maps where it can; its jails are named", (t) => {
  const root = rootWith(t, {
    "etc/fail2ban/jail.conf":
      '[DEFAULT]\nbantime = 10m\nbanaction = iptables-multiport\nmta = sendmail\naction_mwl = %(banaction)s[x]\n   %(mta)s-whois-lines[dest="%(destemail)s"]\ndestemail = root@localhost\n[nginx]\nport = http\n',
    "etc/fail2ban/jail.d/defaults-debian.conf": "[sshd]\nenabled = true\n",
    "etc/fail2ban/jail.local": [
      "[DEFAULT]",
      "bantime = 1h 30m",
      "findtime = 10m",
      "maxretry = 3",
      "ignoreip = 127.0.0.1/8 ::1 198.51.100.7",
      "    gw.example.org 2001:db8::/32 bad_/33 ; own networks",
      "banaction = nftables-multiport",
      "destemail = ops@example.org",
      "sender = root@<fq-hostname>",
      "action = %(action_mwl)s",
      "loglevel = %(nothing)s",
      "bantime.factor = 2",
      "banaction_allports = ufw",
      "[recidive]",
      "enabled = true",
      "[sshd]",
      "port = 2222",
      "maxretry = 2",
    ].join("\n"),
    "etc/fail2ban/jail.d/z.local": "[DEFAULT]\nbantime = 2d\n",
  });
  const imported = gatherImport(root, ["fail2ban"]);
  const { lines, keys } = told(imported);
  assert.deepEqual(keys, {
    "respond.block_for": "2d",
    "respond.backend": "nftables",
    "respond.allow": ["127.0.0.1/8", "::1", "198.51.100.7", "gw.example.org", "2001:db8::/32"],
    "report.to": "ops@example.org",
    "report.alerts": true,
  });
  for (const line of [
    "changed bantime 1h 30m",
    "unsupported findtime 10m",
    "unsupported maxretry 3",
    "unsupported [sshd] enabled true",
    "changed [recidive] enabled true",
    "changed bantime.factor 2",
    "changed banaction_allports ufw",
    "unsupported [sshd] port 2222",
    "changed sender root@<fq-hostname>",
    "unsupported loglevel %(nothing)s",
  ])
    assert.ok(lines.includes(line), `${line} of\n${lines.join("\n")}`);
  assert.ok(
    !imported.directives.some(({ file }) => file.endsWith("jail.conf")),
    "the package's own defaults are listed",
  );
  roundTrip(root, imported);
});

test("fail2ban's times are read as fail2ban reads them", (t) => {
  const cases: [string, unknown][] = [
    ["600", "10m"],
    ["90", "90s"],
    ["1d", "1d"],
    ["1 week", "1w"],
    ["-1", "4w"],
    ["1y", "4w"],
    ["soon", undefined],
  ];
  for (const [bantime, want] of cases) {
    const root = rootWith(t, { "etc/fail2ban/jail.local": `[DEFAULT]\nbantime = ${bantime}\n` });
    assert.equal(told(gatherImport(root, ["fail2ban"])).keys["respond.block_for"], want, bantime);
  }
});

test("a ban lasts as long as fail2ban itself says it would", (t) => {
  const ask = (text: string) => spawnSync("fail2ban-client", ["--str2sec", text], { encoding: "utf8" });
  if (ask("1").error) return t.skip("needs fail2ban: apt install fail2ban");
  const units = [
    "s",
    "sec",
    "seconds",
    "m",
    "min",
    "minutes",
    "mm",
    "h",
    "hours",
    "d",
    "days",
    "w",
    "weeks",
    "",
  ];
  const part = fc
    .tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom("", " "), fc.constantFrom(...units))
    .map((parts) => parts.join(""));
  const times = fc.oneof(
    fc.constantFrom("1.5h", "1h30", "600", "1day12h", "10m30s", "1mo", "2mo", "1y"),
    fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(" ")),
  );
  const LONGEST_S = 4 * 604_800;
  fc.assert(
    fc.property(times, (text) => {
      const seconds = Math.round(Number(ask(text).stdout));
      // fail2ban itself stumbles over a single digit between two others: "1s 1 1s".
      fc.pre(seconds > 0);
      const root = rootWith(t, { "etc/fail2ban/jail.local": `[DEFAULT]\nbantime = ${text}\n` });
      const kept = told(gatherImport(root, ["fail2ban"])).keys["respond.block_for"];
      assert.equal(parseDurationMs(String(kept)), Math.min(seconds, LONGEST_S) * 1_000, text);
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 15) },
  );
});

test("Debian's jail.conf under an administrator's jail.local: what is meant is found through fail2ban's own names", (t) => {
  const shipped = "/etc/fail2ban/jail.conf";
  if (!existsSync(shipped)) return t.skip("needs fail2ban: apt install fail2ban");
  const root = rootWith(t, {
    "etc/fail2ban/jail.conf": readFileSync(shipped, "utf8"),
    "etc/fail2ban/jail.local": [
      "[DEFAULT]",
      "ignoreip = 127.0.0.1/8 ::1 203.0.113.0/24",
      "bantime = 1h",
      "findtime = 10m",
      "maxretry = 5",
      "destemail = ops@example.org",
      "sender = fail2ban@example.org",
      "mta = sendmail",
      "banaction = nftables",
      "banaction_allports = nftables[type=allports]",
      "action = %(action_mwl)s",
      "[sshd]",
      "enabled = true",
      "port = ssh",
      "logpath = %(sshd_log)s",
      "[nginx-http-auth]",
      "enabled = true",
    ].join("\n"),
  });
  const imported = gatherImport(root, ["fail2ban"]);
  assert.equal(imported.directives.length, 14);
  assert.deepEqual(told(imported).keys, {
    "respond.block_for": "1h",
    "respond.backend": "nftables",
    "respond.allow": ["127.0.0.1/8", "::1", "203.0.113.0/24"],
    "report.to": "ops@example.org",
    "report.from": "fail2ban@example.org",
    "report.via": "sendmail",
    "report.alerts": true,
  });
  // What is not taken over says so, with the reason: the limits and the jails.
  const lost = imported.directives.filter(({ fate }) => fate === "unsupported").map(({ name }) => name);
  assert.deepEqual(lost, [
    "findtime",
    "maxretry",
    "[sshd] enabled",
    "[sshd] port",
    "[sshd] logpath",
    "[nginx-http-auth] enabled",
  ]);
  roundTrip(root, imported);
});
