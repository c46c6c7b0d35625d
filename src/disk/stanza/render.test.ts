import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { decideReopening } from "../reopen/decide.ts";
import { renderStanza, type StanzaFacts } from "./render.ts";

const facts: StanzaFacts = {
  path: "/srv/www/access.log",
  mode: 0o640,
  user: "root",
  group: "root",
  bytesPerDay: null,
  su: null,
};

test("a known daemon is told to reopen its log, in the way its manual names", () => {
  const script = (name: string, unit = "", append = true) => decideReopening(name, unit, append).script;
  assert.equal(
    script("nginx", "nginx.service"),
    "systemctl kill --kill-who=main --signal=USR1 nginx.service",
  );
  assert.equal(script("nginx"), '[ ! -f /run/nginx.pid ] || kill -USR1 "$(cat /run/nginx.pid)"');
  assert.equal(script("rsyslogd"), '[ ! -f /run/rsyslogd.pid ] || kill -HUP "$(cat /run/rsyslogd.pid)"');
  assert.equal(
    script("php-fpm8.2", "php8.2-fpm.service"),
    "systemctl kill --kill-who=main --signal=USR1 php8.2-fpm.service",
  );
  assert.equal(script("mariadbd"), "mariadb-admin flush-logs");
  assert.equal(
    script("nginx", "evil; rm -rf /.service"),
    '[ ! -f /run/nginx.pid ] || kill -USR1 "$(cat /run/nginx.pid)"',
  );
  for (const name of ["postgres", "java", ""]) assert.equal(script(name), null, name);
  assert.match(decideReopening("java", "", false).because, /hole/);
});

test("the stanza is one that logrotate takes", (t) => {
  const root = mkdtempSync(join(tmpdir(), "tt-stanza-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "a b"));
  const path = join(root, "a b/access.log");
  writeFileSync(path, "a line\n");
  const stanzas = [
    renderStanza({ ...facts, path, bytesPerDay: 5e9 }, decideReopening("nginx", "nginx.service", true)),
    renderStanza({ ...facts, path, su: { user: "root", group: "root" } }, decideReopening("", "", true)),
  ];
  assert.match(
    stanzas[0]!,
    /daily\n.*rotate 7\n.*maxsize 1G\n[\s\S]*create 0640 root root\n {4}postrotate\n/,
  );
  for (const text of stanzas) {
    const config = join(root, "conf");
    writeFileSync(config, text, { mode: 0o644 });
    const { status, stderr, error } = spawnSync("logrotate", ["-d", "-s", join(root, "state"), config], {
      encoding: "utf8",
    });
    if (error !== undefined) return t.skip("needs logrotate: apt install logrotate");
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /error/);
    assert.match(stderr, /considering log/);
  }
});

test("a name or an owner that would need escapes gets no stanza", () => {
  const copy = decideReopening("", "", true);
  for (const path of ['/a"b', "/a*b", "/a{b", "/a\nb", "/a\\b", "/a'b"])
    assert.equal(renderStanza({ ...facts, path }, copy), "", path);
  assert.equal(renderStanza({ ...facts, user: "a\n}" }, copy), "");
});
