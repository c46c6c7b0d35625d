// Attacks that logrotate has met, each as a test: names that are shell text, links where files should be,
// state and configuration that others can write. Races are in races.test.ts.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { DAEMON, failures, root, rotate, scratch } from "./attack-scene.ts";
import { loadRotation } from "./run.ts";

test("a name that is shell text is a name: in scripts, mail, compression and shredding", async (t) => {
  const dir = scratch(t);
  const names = [
    "a;touch pwned.log",
    "$(touch pwned).log",
    "`touch pwned`.log",
    "-rf.log",
    "new\nline.log",
    "q\"u'o.log",
    "%s\\.log",
    "~!id.log",
  ];
  for (const name of names) writeFileSync(join(dir, "d", name), `of ${name}\n`);
  writeFileSync(
    join(dir, "mailer"),
    `#!/bin/sh\nprintf '%s|' "$@" >> ${dir}/mailed\ncat >> ${dir}/mailed\n`,
    { mode: 0o755 },
  );
  const text = `${dir}/d/*.log {\n rotate 1\n compress\n mail root\n mailfirst\n shred\n shredcycles 1\n postrotate\n  printf '%s\\0' "$1" "$2" >> ${dir}/seen\n endscript\n}\n`;
  const mailCommand = [join(dir, "mailer")];
  for (let round = 0; round < 2; round++) {
    const { summary, events } = await rotate(dir, text, { mailCommand });
    assert.equal(summary.exitStatus, 0, failures(events).join("\n"));
    for (const name of names) writeFileSync(join(dir, "d", name), `of ${name}\n`);
  }
  assert.deepEqual(existsSync("pwned") || existsSync(join(dir, "d/pwned")), false);
  assert.deepEqual(
    readdirSync(join(dir, "d")).sort(),
    names.flatMap((name) => [name, `${name}.1.gz`]).sort(),
  );
  for (const name of names)
    assert.equal(gunzipSync(readFileSync(join(dir, "d", `${name}.1.gz`))).toString(), `of ${name}\n`);
  const seen = readFileSync(join(dir, "seen"), "utf8").split("\0");
  for (const name of names)
    assert.ok(seen.includes(join(dir, "d", name)) && seen.includes(join(dir, "d", `${name}.1`)), name);
  // A newline in a subject would be a header of its own.
  assert.match(readFileSync(join(dir, "mailed"), "utf8"), /new\\x0aline\.log/);
});

test("links, pipes and devices are not logs, and nothing waits for them", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const precious = join(dir, "precious");
  writeFileSync(precious, "precious\n", { mode: 0o600 });
  symlinkSync(precious, join(dir, "d/link.log"));
  linkSync(precious, join(dir, "d/hard.log"));
  for (const [name, args] of [
    ["pipe.log", ["p"]],
    ["null.log", ["c", "1", "3"]],
  ] as const) {
    assert.equal(spawnSync("mknod", [join(dir, "d", name), ...args]).status, 0);
  }
  const { summary } = await rotate(dir, `${dir}/d/*.log {\n rotate 1\n copytruncate\n compress\n}\n`);
  assert.equal(summary.rotated, 0);
  assert.equal(summary.skipped, 4);
  assert.equal(readFileSync(precious, "utf8"), "precious\n");
  assert.equal(readdirSync(join(dir, "d")).length, 4);
});

test("a link or pipe left where a generation goes is moved aside or refused, never written through", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const victim = join(dir, "victim");
  writeFileSync(victim, "victim\n");
  const log = join(dir, "d/a.log");
  writeFileSync(log, "line\n");
  symlinkSync(victim, `${log}.1.gz`);
  symlinkSync(victim, join(dir, "d/.a.log.1.gz.telltale"));
  const { summary } = await rotate(dir, `${log} {\n rotate 2\n compress\n}\n`);
  assert.equal(summary.failed, 0);
  assert.equal(readFileSync(victim, "utf8"), "victim\n");
  assert.ok(lstatSync(`${log}.1.gz`).isFile());
  // A pipe where a generation waits to be compressed: the log must not be lost, nor the run hang.
  writeFileSync(log, "next\n");
  assert.equal(spawnSync("mkfifo", [`${log}.1`]).status, 0);
  const second = await rotate(dir, `${log} {\n rotate 2\n compress\n delaycompress\n}\n`);
  assert.equal(second.summary.failed, 1);
  assert.match(failures(second.events)[0] ?? "", /not a regular file/);
  assert.equal(readFileSync(log, "utf8"), "next\n");
});

test("shred overwrites no file that has another name, which a user may have given it", async (t) => {
  const dir = scratch(t);
  const log = join(dir, "d/a.log");
  const precious = join(dir, "precious");
  for (const compress of ["", "compress\n"]) {
    writeFileSync(log, "line\n");
    writeFileSync(precious, "precious\n");
    linkSync(precious, `${log}.1`);
    const { events } = await rotate(dir, `${log} {\n rotate 1\n ${compress} shred\n create\n}\n`);
    assert.deepEqual(failures(events), []);
    assert.equal(readFileSync(precious, "utf8"), "precious\n");
    assert.equal(statSync(precious).nlink, 1);
    for (const name of readdirSync(join(dir, "d"))) rmSync(join(dir, "d", name));
  }
});

test("a link in the way of a rotation is followed where root put it, and refused where a user could have", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  writeFileSync(join(dir, "d/a.log"), "line\n");
  symlinkSync(join(dir, "d"), join(dir, "rooted"));
  const text = (path: string): string => `${path}/a.log {\n su root root\n rotate 1\n}\n`;
  assert.equal((await rotate(dir, text(join(dir, "rooted")))).summary.rotated, 1);
  mkdirSync(join(dir, "home"));
  chownSync(join(dir, "home"), DAEMON, DAEMON);
  symlinkSync(join(dir, "d"), join(dir, "home/logs"));
  writeFileSync(join(dir, "d/a.log"), "line\n");
  const { events, summary } = await rotate(dir, text(join(dir, "home/logs")));
  assert.equal(summary.rotated, 0);
  assert.match(failures(events)[0] ?? "", /symbolic link that others than root could have placed/);
});

test("su rotates with the user's rights and no others", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  chownSync(join(dir, "d"), DAEMON, DAEMON);
  writeFileSync(join(dir, "d/a.log"), "line\n");
  chownSync(join(dir, "d/a.log"), DAEMON, DAEMON);
  const groups = process.getgroups!();
  const good = await rotate(dir, `${dir}/d/a.log {\n su daemon daemon\n rotate 1\n create\n compress\n}\n`);
  assert.deepEqual(failures(good.events), []);
  for (const name of ["a.log", "a.log.1.gz"]) assert.equal(statSync(join(dir, "d", name)).uid, DAEMON, name);
  // What the user may not do, the rotation may not do.
  mkdirSync(join(dir, "closed"), { mode: 0o700 });
  const bad = await rotate(dir, `${dir}/d/a.log {\n su daemon daemon\n rotate 1\n olddir ${dir}/closed\n}\n`);
  assert.equal(bad.summary.rotated, 0);
  assert.deepEqual(readdirSync(join(dir, "closed")), []);
  assert.equal(process.geteuid!(), 0);
  assert.deepEqual(process.getgroups!(), groups);
});

test("access control lists go with create, copies and compression, and not where a mode is prescribed", async (t) => {
  const dir = scratch(t);
  const log = join(dir, "d/a.log");
  writeFileSync(log, "line\n", { mode: 0o640 });
  if (spawnSync("setfacl", ["-m", "u:daemon:r", log]).error !== undefined)
    return t.skip("needs setfacl: apt install acl");
  const list = (path: string): string => spawnSync("getfacl", ["-cp", path], { encoding: "utf8" }).stdout;
  const wanted = list(log);
  if (!wanted.includes("user:daemon")) return t.skip("needs a file system with ACLs");
  await rotate(dir, `${log} {\n rotate 5\n compress\n create\n}\n`);
  assert.deepEqual([list(log), list(`${log}.1.gz`)], [wanted, wanted]);
  writeFileSync(log, "line\n");
  await rotate(dir, `${log} {\n rotate 5\n copytruncate\n compress\n}\n`);
  assert.deepEqual([list(log), list(`${log}.1.gz`)], [wanted, wanted]);
  writeFileSync(log, "line\n");
  await rotate(dir, `${log} {\n rotate 5\n compress\n create 0600\n}\n`);
  assert.doesNotMatch(list(log), /user:daemon/);
});

test("where the kernel has labels, every file that a rotation makes has the label of its log", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const log = join(dir, "d/a.log");
  const label = "system_u:object_r:httpd_log_t:s0";
  const labelOf = (path: string): string =>
    spawnSync("getfattr", ["--absolute-names", "--only-values", "-n", "security.selinux", path], {
      encoding: "utf8",
    }).stdout;
  // A kernel without SELinux keeps labels as it keeps any attribute; what is enforced, telltale learns from /sys/fs/selinux.
  // What it asks the kernel to give new files is kept in a file that stands where the kernel listens (one per process).
  const asked = join(dir, "asked");
  const pretend = `mount -t tmpfs tmpfs /sys/fs && mkdir /sys/fs/selinux && touch /sys/fs/selinux/enforce && : >${asked} &&
mount --bind ${asked} /proc/$$/task/$$/attr/fscreate && exec "$@"`;
  const telltale = join(import.meta.dirname, "../../bin/telltale");
  for (const manner of ["create", "create 0600 daemon daemon", "copytruncate", "renamecopy\n create 0600"]) {
    for (const name of readdirSync(join(dir, "d"))) rmSync(join(dir, "d", name));
    writeFileSync(log, "line\n");
    if (spawnSync("setfattr", ["-n", "security.selinux", "-v", label, log]).status !== 0)
      return t.skip("needs setfattr and a file system that keeps labels: apt install attr");
    writeFileSync(join(dir, "conf"), `${log} {\n rotate 2\n compress\n ${manner}\n}\n`, { mode: 0o644 });
    const argv = ["-m", "sh", "-c", pretend, "sh", telltale, "logrotate", "-f", "-s", join(dir, "state")];
    const { error, status, stderr } = spawnSync("unshare", [...argv, join(dir, "conf")], {
      encoding: "utf8",
    });
    if (error !== undefined) return t.skip("needs unshare: apt install util-linux");
    assert.equal(status, 0, stderr);
    assert.deepEqual(readdirSync(join(dir, "d")).sort(), ["a.log", "a.log.1.gz"], manner);
    for (const path of [log, `${log}.1.gz`])
      assert.equal(labelOf(path).replace("\0", ""), label, `${manner} ${path}`);
    // The label was written, and then, over its beginning, that the usual ones hold again.
    assert.equal(readFileSync(asked, "utf8").replace("\0", ""), `\n${label.slice(1)}`, manner);
  }
});

test("without /proc nothing is rotated, and the error says so", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  writeFileSync(join(dir, "d/a.log"), "line\n");
  writeFileSync(join(dir, "conf"), `${dir}/d/a.log {\n rotate 1\n}\n`, { mode: 0o644 });
  const telltale = join(import.meta.dirname, "../../bin/telltale");
  const bare = 'umount -l /proc && exec "$@"';
  const argv = ["-m", "sh", "-c", bare, "sh", telltale, "logrotate", "-f", "-s", join(dir, "state")];
  const { error, status, stderr } = spawnSync("unshare", [...argv, join(dir, "conf")], { encoding: "utf8" });
  if (error !== undefined) return t.skip("needs unshare: apt install util-linux");
  assert.equal(status, 1);
  assert.match(stderr, /\/proc\/self\/fd is not there.*mount -t proc proc \/proc/);
  assert.deepEqual(readdirSync(join(dir, "d")), ["a.log"]);
});

test("a directory that others can write is refused without su", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  chmodSync(join(dir, "d"), 0o777);
  writeFileSync(join(dir, "d/a.log"), "line\n");
  const { events, summary } = await rotate(dir, `${dir}/d/a.log {\n rotate 1\n}\n`);
  assert.equal(summary.exitStatus, 1);
  assert.match(failures(events)[0] ?? "", /insecure permissions/);
});

test("configuration that others can write, or that is somebody else's, is refused", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const conf = join(dir, "conf");
  writeFileSync(conf, `${dir}/d/a.log {\n}\n`);
  const load = async (): Promise<string> => {
    const { faults, stanzas } = await loadRotation({ configs: [conf] });
    return `${stanzas.length} ${faults.map((fault) => fault.message).join()}`;
  };
  chmodSync(conf, 0o664);
  assert.equal(await load(), "0 is writable by its group or others");
  chmodSync(conf, 0o644);
  chownSync(conf, DAEMON, DAEMON);
  assert.equal(await load(), "0 belongs to user 1, and should to root");
  chownSync(conf, 0, 0);
  assert.equal(await load(), "1 ");
});

test("a state file that every user may lock is not locked, and the cure is named", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const state = join(dir, "state");
  writeFileSync(state, "logrotate state -- version 2\n", { mode: 0o644 });
  const holder = spawn("flock", ["-F", state, "sh", "-c", "echo held; exec sleep 60"], {
    uid: DAEMON,
    gid: DAEMON,
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => holder.kill("SIGKILL"));
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  writeFileSync(join(dir, "d/a.log"), "line\n");
  const text = `${dir}/d/a.log {\n rotate 1\n}\n`;
  const { summary, events } = await rotate(dir, text, { force: true });
  assert.deepEqual([summary.rotated, summary.exitStatus], [1, 0]);
  assert.match(
    events
      .flatMap((event) => (event.type === "config.faulty" ? event.faults : []))
      .map((fault) => fault.mend)
      .join(),
    /chmod 0640/,
  );
});

test("a journal that somebody else could have written is not obeyed", async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const journal = join(dir, "state.journal");
  writeFileSync(journal, '{"begin":0,"at":0,"clock":0,"stanza":{"lastaction":null},"logs":[]}\n', {
    mode: 0o666,
  });
  chmodSync(journal, 0o666);
  writeFileSync(join(dir, "d/a.log"), "line\n");
  const { summary, events } = await rotate(dir, `${dir}/d/a.log {\n rotate 1\n}\n`);
  assert.equal(summary.rotated, 1);
  assert.match(failures(events).join(), /not a private file/);
  rmSync(journal);
  symlinkSync("/etc/passwd", journal);
  await rotate(dir, `${dir}/d/a.log {\n rotate 1\n missingok\n}\n`);
  assert.equal(readlinkSync(journal), "/etc/passwd");
});

test("a compressor that fails leaves the file as it was, and it is compressed the next time", async (t) => {
  const dir = scratch(t);
  const log = join(dir, "d/a.log");
  writeFileSync(log, "first\n");
  const bad = await rotate(dir, `${log} {\n rotate 3\n compress\n compresscmd /bin/false\n create\n}\n`);
  assert.equal(bad.summary.exitStatus, 1);
  assert.match(failures(bad.events)[0] ?? "", /\/bin\/false: exit status 1/);
  assert.deepEqual(readdirSync(join(dir, "d")).sort(), ["a.log", "a.log.1"]);
  writeFileSync(log, "second\n");
  const good = await rotate(dir, `${log} {\n rotate 3\n compress\n create\n}\n`);
  assert.equal(good.summary.exitStatus, 0);
  const read = (name: string): string => gunzipSync(readFileSync(join(dir, "d", name))).toString();
  assert.deepEqual([read("a.log.1.gz"), read("a.log.2.gz")], ["second\n", "first\n"]);
});
