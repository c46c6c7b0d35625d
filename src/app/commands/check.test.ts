// `telltale check` as a person runs it: what is new, once, most serious first; and nothing counts as read that was
// not printed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

const TELLTALE = join(import.meta.dirname, "../../../bin/telltale");
const STAMP = "Nov 22 19:51:02 host";

class Stage {
  readonly dir = mkdtempSync(join(tmpdir(), "telltale-check-command-"));
  readonly log = join(this.dir, "syslog");
  readonly #env: NodeJS.ProcessEnv = { ...process.env };

  constructor(t: test.TestContext, journal = "off") {
    t.after(() => rmSync(this.dir, { recursive: true, force: true }));
    for (const layer of ["violations.ignore.d", "ignore.d.paranoid"]) {
      mkdirSync(join(this.dir, "rules", layer), { recursive: true });
    }
    this.rule("cracking.d/x", "attack");
    this.rule("violations.d/x", "bad");
    this.rule("ignore.d.server/x", "quiet");
    this.configure(`logs = ["${this.log}"]`, journal);
    writeFileSync(this.log, "");
  }

  configure(check: string, journal = "off"): void {
    writeFileSync(
      join(this.dir, "telltale.toml"),
      `[store]\ndirectory = "${this.dir}/state"\n[check]\nrules = "${this.dir}/rules"\njournal = "${journal}"\n${check}\n`,
    );
  }

  rule(path: string, text: string): void {
    const file = join(this.dir, "rules", path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, `${text}\n`);
  }

  /** A program that is found before the system's. */
  program(name: string, text: string): void {
    mkdirSync(join(this.dir, "bin"), { recursive: true });
    writeFileSync(join(this.dir, "bin", name), text);
    chmodSync(join(this.dir, "bin", name), 0o755);
    this.#env["PATH"] = `${this.dir}/bin:${process.env["PATH"]}`;
  }

  check(args: readonly string[] = [], stdout: "pipe" | number = "pipe", input = "") {
    const done = spawnSync(TELLTALE, ["check", "--config", join(this.dir, "telltale.toml"), ...args], {
      encoding: "utf8",
      env: this.#env,
      input,
      stdio: ["pipe", stdout, "pipe"],
    });
    return { status: done.status, out: done.stdout, err: done.stderr };
  }
}

const ATTACKS = "Active System Attack Alerts\n=-=-=-=-=-=-=-=-=-=-=-=-=-=\n";
const VIOLATIONS = "Security Violations\n=-=-=-=-=-=-=-=-=-=\n";
const SYSTEM = "Unusual System Events\n=-=-=-=-=-=-=-=-=-=-=\n";

test("prints what is new, most serious first, and each line once, through a rotation", (t) => {
  const stage = new Stage(t);
  writeFileSync(stage.log, `${STAMP} odd\n${STAMP} quiet\n${STAMP} bad\n${STAMP} attack\n${STAMP} odder\n`);
  const first = stage.check();
  assert.equal(
    first.out,
    `${ATTACKS}${STAMP} attack\n\n${VIOLATIONS}${STAMP} bad\n\n${SYSTEM}${STAMP} odd\n${STAMP} odder\n\n`,
  );
  assert.equal(first.status, 0);
  assert.equal(first.err, "4 of 5 lines remain.\n");
  assert.equal(stage.check().out, "");
  appendFileSync(stage.log, `${STAMP} last before\n`);
  renameSync(stage.log, `${stage.log}.1`);
  writeFileSync(stage.log, `${STAMP} first after\n`);
  assert.equal(stage.check().out, `${SYSTEM}${STAMP} last before\n${STAMP} first after\n\n`);
  assert.equal(stage.check().out, "");
});

test("what could not be printed comes again", (t) => {
  if (!existsSync("/dev/full")) return t.skip("needs /dev/full");
  const stage = new Stage(t);
  writeFileSync(stage.log, `${STAMP} odd\n`);
  assert.notEqual(stage.check([], openSync("/dev/full", "w")).status, 0);
  assert.equal(stage.check().out, `${SYSTEM}${STAMP} odd\n\n`);
});

test("a named log is read whole and remembered nowhere; bytes that move a cursor are written out", (t) => {
  const stage = new Stage(t);
  writeFileSync(stage.log, `${STAMP} a\u001b[2Jb\n${STAMP} quiet\n${STAMP} no newline`);
  for (let run = 0; run < 2; run++) {
    const { out } = stage.check([stage.log]);
    assert.equal(out, `${SYSTEM}${STAMP} a\\x1b[2Jb\n${STAMP} no newline\n\n`);
  }
  assert.equal(stage.check(["-"], "pipe", `${STAMP} piped\n`).out, `${SYSTEM}${STAMP} piped\n\n`);
  assert.equal(existsSync(join(stage.dir, "state")), false);
});

test("a log that became smaller is told as possible tampering, and read from its beginning", (t) => {
  const stage = new Stage(t);
  writeFileSync(stage.log, `${STAMP} one\n${STAMP} two\n`);
  stage.check();
  writeFileSync(stage.log, `${STAMP} new\n`);
  const { out, err } = stage.check();
  assert.equal(out, `${SYSTEM}${STAMP} new\n\n`);
  assert.match(err, /syslog.*(smaller|shrank)/);
});

test("names a log that is listed and not there, and reads the others", (t) => {
  const stage = new Stage(t);
  rmSync(stage.log);
  const { status, err } = stage.check();
  assert.equal(status, 1);
  assert.match(err, /telltale check: .*syslog: there is no such log\n +mend: /);
});

test("a line that two logs tell is printed once; one that a log repeats stands there as often", (t) => {
  const stage = new Stage(t);
  const other = join(stage.dir, "auth.log");
  stage.configure(`logs = ["${stage.log}", "${other}"]`);
  writeFileSync(stage.log, `${STAMP} odd\n${STAMP} odd\n`);
  writeFileSync(other, `2026-11-22T19:51:02.5+01:00 host odd\n`);
  assert.equal(stage.check().out, `${SYSTEM}${STAMP} odd\n${STAMP} odd\n\n`);
});

test("a rule for one spelling of the timestamp accepts the other, unless it is told not to", (t) => {
  const stage = new Stage(t);
  stage.rule("ignore.d.server/x", "^Nov 22 [0-9:]{8} host odd$");
  writeFileSync(stage.log, "2026-11-22T19:51:02.123456+00:00 host odd\n");
  assert.equal(stage.check([stage.log]).out, "");
  stage.configure("either_timestamp = false");
  assert.match(stage.check([stage.log]).out, /host odd/);
});

test("reads the journal, too, where the rules' host has one", (t) => {
  const remote = "/lib/systemd/systemd-journal-remote";
  if (!existsSync(remote)) return t.skip("needs systemd-journal-remote: apt install systemd-journal-remote");
  const stage = new Stage(t, "on");
  const now = Math.floor(Date.now() / 1000);
  const entries = ["attack one", "quiet", "odd two"].map(
    (message, i) =>
      `__REALTIME_TIMESTAMP=${now - 60 + i}000000\n__MONOTONIC_TIMESTAMP=${i}\n` +
      `_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=host\nSYSLOG_IDENTIFIER=prog\nMESSAGE=${message}\n\n`,
  );
  writeFileSync(join(stage.dir, "export"), entries.join(""));
  const journal = join(stage.dir, "it.journal");
  const made = spawnSync(remote, ["-o", journal, join(stage.dir, "export")]);
  assert.equal(made.status, 0, made.stderr.toString());
  stage.program("journalctl", `#!/bin/sh\nexec /usr/bin/journalctl --file ${journal} "$@"\n`);
  const { out, status } = stage.check();
  assert.match(
    out,
    /^Active System Attack Alerts\n.*\n.* host prog: attack one\n\nUnusual System Events\n.*\n.* odd two\n\n$/,
  );
  assert.equal(status, 0);
  assert.equal(stage.check().out, "");
  stage.program("journalctl", "#!/bin/sh\necho it is broken >&2\nexit 1\n");
  const broken = stage.check();
  assert.equal(broken.status, 1);
  assert.match(broken.err, /telltale check: journal: .*it is broken/);
});
