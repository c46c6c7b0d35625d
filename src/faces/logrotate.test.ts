// The face beside Debian's logrotate: the same command lines on copies of the same tree, and the same statuses and trees.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runLogrotate } from "./logrotate.ts";
import { readLogrotateOptions } from "./logrotate-options.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-face-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

function build(root: string): void {
  mkdirSync(join(root, "d"), { recursive: true });
  writeFileSync(join(root, "d/a.log"), "a\n");
  writeFileSync(join(root, "d/b.log"), "");
  const conf = (name: string, text: string): void =>
    writeFileSync(join(root, name), text.replaceAll("ROOT", root), { mode: 0o644 });
  conf(
    "conf",
    "ROOT/d/*.log {\n rotate 2\n daily\n create 0600\n postrotate\n  echo ran >> ROOT/calls\n endscript\n}\n",
  );
  conf("bad", "ROOT/d/a.log {\n rotate x\n}\n");
  conf("odd", "ROOT/d/a.log {\n frobnicate 3\n}\n");
  conf("missing", "ROOT/d/none.log {\n}\n");
}

async function face(
  root: string,
  args: readonly string[],
): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const output = {
    out: (bytes: Uint8Array) => void (out += Buffer.from(bytes).toString()),
    err: (text: string) => void (err += text),
  };
  const status = await runLogrotate(
    args.map((arg) => arg.replaceAll("ROOT", root)),
    output,
  );
  return { status, out, err };
}

const LINES: string[][] = [
  ["-s", "ROOT/state", "ROOT/conf"],
  ["-f", "-s", "ROOT/state", "ROOT/conf"],
  ["-fs", "ROOT/state", "ROOT/conf"],
  ["-fv", "--state=ROOT/state", "ROOT/conf", "ROOT/missing"],
  ["--force", "--state", "ROOT/state", "ROOT/bad", "ROOT/conf"],
  ["-d", "-f", "-s", "ROOT/state", "ROOT/conf"],
  ["-f", "-s", "/dev/null", "ROOT/conf"],
  ["-f", "-sROOT/state", "--", "ROOT/conf"],
  ["-s", "ROOT/state", "ROOT/none"],
  ["-s", "ROOT/state", "ROOT/odd"],
  ["-s", "ROOT/state", "ROOT/missing"],
  ["--skip-state-lock", "--wait-for-state-lock", "ROOT/conf"],
  ["--bogus", "ROOT/conf"],
  ["-s"],
  [],
  ["--version"],
  ["--usage"],
  ["-?"],
];

test("every command line ends with logrotate's status and leaves its tree", async (t) => {
  if (spawnSync("logrotate", ["--version"]).error !== undefined)
    return t.skip("needs logrotate: apt install logrotate");
  const root = scratch(t);
  for (const [i, args] of LINES.entries()) {
    const [a, b] = [join(root, `${i}a`), join(root, `${i}b`)];
    for (const dir of [a, b]) build(dir);
    const theirs = spawnSync(
      "logrotate",
      args.map((arg) => arg.replaceAll("ROOT", a)),
      { encoding: "utf8" },
    );
    const ours = await face(b, args);
    assert.equal(ours.status, theirs.status, `${args.join(" ")}\n${theirs.stderr}\n${ours.err}`);
    assert.deepEqual(
      readdirSync(b, { recursive: true }).sort(),
      readdirSync(a, { recursive: true }).sort(),
      args.join(" "),
    );
  }
});

test("--version tells of defaults and of what a rotation carries over, as scripts ask for it", async (t) => {
  const { out } = await face(scratch(t), ["--version"]);
  assert.match(out, /^logrotate 3\.\d+\.\d+ /);
  assert.match(out, /^ {4}Default state file path: +\/var\/lib\/logrotate\/status$/m);
  assert.match(out, /^ {4}ACL support: +(yes|no)\n {4}SELinux support: +(yes|no)\n$/m);
});

test("errors name file and line after the word error, and the mend below", async (t) => {
  const root = scratch(t);
  build(root);
  const { err } = await face(root, ["-s", "ROOT/state", "ROOT/bad"]);
  assert.equal(
    err.replaceAll(root, "ROOT"),
    `error: ROOT/bad:2 bad rotation count 'x': wants a whole number, found "x" -- found error, skipping the stanza
    mend: write "rotate 7" to keep seven files, or "maxage 7" to drop files older than seven days
`,
  );
});

test("-d says what would be done in logrotate's phrases, and does nothing", async (t) => {
  const root = scratch(t);
  build(root);
  const { err } = await face(root, ["-d", "-f", "-s", "ROOT/state", "ROOT/conf"]);
  for (const phrase of [
    "rotating pattern: ROOT/d/*.log forced from command line empty log files are",
    "considering log ROOT/d/a.log",
    "  log needs rotating",
    "rotating log ROOT/d/a.log, log->rotateCount is 2",
    "renaming ROOT/d/a.log to ROOT/d/a.log.1",
    "creating new ROOT/d/a.log mode = 0600 uid = ",
    "running postrotate script",
  ]) {
    assert.ok(err.includes(phrase.replaceAll("ROOT", root)), phrase);
  }
  assert.deepEqual(readdirSync(join(root, "d")).sort(), ["a.log", "b.log"]);
});

test("-l writes everything to a file, which scripts have as descriptor 3", async (t) => {
  const root = scratch(t);
  build(root);
  writeFileSync(
    join(root, "conf"),
    `${root}/d/a.log {\n rotate 1\n postrotate\n  echo from the script >&3\n endscript\n}\n`,
  );
  const { err, status } = await face(root, ["-f", "-l", "ROOT/log", "-s", "ROOT/state", "ROOT/conf"]);
  assert.deepEqual([status, err], [0, ""]);
  assert.match(readFileSync(join(root, "log"), "utf8"), /rotating log .*\n[\s\S]*from the script/);
});

test("-l syslog hands everything to logger, line by line; without logger the logs are rotated all the same", async (t) => {
  const root = scratch(t);
  build(root);
  const before = process.env["PATH"];
  t.after(() => {
    process.env["PATH"] = before;
  });
  mkdirSync(join(root, "bin"));
  writeFileSync(
    join(root, "bin/logger"),
    `#!/bin/sh\necho "$@" > ${root}/called\nexec cat > ${root}/logged\n`,
    {
      mode: 0o755,
    },
  );
  process.env["PATH"] = `${root}/bin:${before}`;
  const { err, status } = await face(root, ["-f", "-l", "syslog", "-s", "ROOT/state", "ROOT/conf"]);
  assert.deepEqual([status, err], [0, ""]);
  assert.equal(readFileSync(join(root, "called"), "utf8"), "-t logrotate -p user.info\n");
  assert.match(readFileSync(join(root, "logged"), "utf8"), /^renaming .*a\.log to .*a\.log\.1$/m);
  process.env["PATH"] = join(root, "empty");
  const silent = await face(root, [
    "-f",
    "--skip-state-lock",
    "-l",
    "syslog",
    "-s",
    "ROOT/state",
    "ROOT/conf",
  ]);
  assert.match(silent.err, /logger cannot be run.*\n.*mend: apt install bsdutils/);
  assert.deepEqual([silent.status, readdirSync(join(root, "d")).includes("a.log.2")], [0, true]);
});

test("a locked state is status 3; with --wait-for-state-lock the run waits", {
  timeout: 30_000,
}, async (t) => {
  const root = scratch(t);
  build(root);
  writeFileSync(join(root, "state"), "logrotate state -- version 2\n", { mode: 0o640 });
  const holder = spawn("flock", ["-F", join(root, "state"), "sh", "-c", "echo held; read x"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  assert.equal((await face(root, ["-f", "-s", "ROOT/state", "ROOT/conf"])).status, 3);
  const waiting = face(root, ["-f", "--wait-for-state-lock", "-s", "ROOT/state", "ROOT/conf"]);
  holder.stdin.end("go\n");
  assert.equal((await waiting).status, 0);
});

test("options are read as popt reads them", () => {
  const read = (...args: string[]) => readLogrotateOptions(args);
  const full = read("-vfs/x", "a", "--mail=m -r q", "-l", "syslog", "b");
  assert.ok(!("message" in full));
  assert.deepEqual(
    [full.verbose, full.force, full.state, full.mail, full.log, full.configs],
    [true, true, "/x", "m -r q", "syslog", ["a", "b"]],
  );
  assert.deepEqual(read("--log"), { message: "logrotate: bad argument --log: missing argument", status: 2 });
  assert.deepEqual(read("--force=1"), {
    message: "logrotate: bad argument --force=1: unknown option",
    status: 2,
  });
});
