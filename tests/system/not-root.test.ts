// What somebody without rights sees of a host: each command says what it may not do, and what would; none falls over.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const TELLTALE = join(import.meta.dirname, "../../bin/telltale");
const NOBODY = 65_534;

function host(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "tt-not-root-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755);
  for (const name of ["log", "state", "home", "closed"]) mkdirSync(join(dir, name));
  writeFileSync(join(dir, "log/app.log"), "a line\n");
  writeFileSync(join(dir, "log/secret.log"), "a line\n", { mode: 0o600 });
  writeFileSync(
    join(dir, "logrotate.conf"),
    `${dir}/log/app.log {\n daily\n su root root\n}\n${dir}/closed/*.log ${dir}/closed/*.txt {\n daily\n}\n`,
    { mode: 0o644 },
  );
  writeFileSync(
    join(dir, "telltale.toml"),
    `[rotate]\nconfig = ["${dir}/logrotate.conf"]\nstate = "${dir}/state/rotate"\n[store]\ndirectory = "${dir}/state/store"\n`,
  );
  chmodSync(join(dir, "closed"), 0o700);
  spawnSync("chown", ["-R", `${NOBODY}`, join(dir, "home"), join(dir, "state")]);
  return dir;
}

function asNobody(dir: string, ...args: string[]) {
  const [command, ...rest] = args;
  const env = { PATH: process.env["PATH"], HOME: join(dir, "home") };
  const options = { encoding: "utf8", uid: NOBODY, gid: NOBODY, env, timeout: 60_000 } as const;
  return spawnSync(TELLTALE, [command!, "--config", join(dir, "telltale.toml"), ...rest], options);
}

test("commands that need rights name them, without a stack trace", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root to become somebody else");
  const dir = host(t);
  for (const args of [
    ["rotate", "--plan"],
    ["rotate", "--force"],
    ["disk"],
    ["unblock", "192.0.2.7"],
    ["unblock", "--all"],
    ["panic"],
    ["blocks"],
    ["guardrails"],
    ["doctor"],
    ["config", "check"],
    ["report"],
  ]) {
    const { stderr, stdout, signal } = asNobody(dir, ...args);
    assert.equal(signal, null, args.join(" "));
    assert.doesNotMatch(stderr + stdout, /\n {4}at |file:\/\/|node:internal/, args.join(" "));
  }
});

test("a log that su gives to another user is in trouble, and what cannot be read is said once", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root to become somebody else");
  const dir = host(t);
  const { stdout, stderr, status } = asNobody(dir, "rotate", "--plan");
  assert.match(stdout, /FAIL +\S+app\.log: only root may rotate as user 0 group 0, which su asks\s+for/);
  assert.equal(stderr.match(/cannot read/g)?.length, 1, stderr);
  assert.equal(status, 1);
});

test("what only root may do is answered with the command to say instead", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root to become somebody else");
  const dir = host(t);
  const { stderr, status } = asNobody(dir, "unblock", "--all");
  assert.match(stderr, /^telltale unblock: .*\n {4}mend: sudo telltale unblock .*--all$/m);
  assert.equal(status, 77);
});

test("a log that cannot be read is named with what to do", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root to become somebody else");
  const dir = host(t);
  mkdirSync(join(dir, "rules/ignore.d.server"), { recursive: true });
  writeFileSync(join(dir, "rules/ignore.d.server/x"), "quiet\n");
  const check = (...logs: string[]) => asNobody(dir, "check", "--rules", join(dir, "rules"), ...logs).stderr;
  assert.match(
    check(join(dir, "log/secret.log")),
    /secret\.log: may not be read by you\n {4}mend: sudo, or join/,
  );
  assert.match(check(join(dir, "log/gone.log")), /gone\.log: there is no such log\n {4}mend: check its name/);
  assert.match(check(join(dir, "log")), /log: is a directory\n {4}mend: name the logs in it/);
  assert.match(check("test"), /wants a rule\n {4}mend: telltale check test /);
});
