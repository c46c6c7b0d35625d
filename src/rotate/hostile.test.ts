// Attacks that logrotate has met, each as a test: names that are shell text, links where files should be, directories swapped
// under a rotation, modes that are wide for an instant, state and configuration that others can write.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { Event, EventBody } from "../core/events.ts";
import { loadRotation, runRotations } from "./run.ts";
import type { RotateOptions, RotationSummary } from "./types.ts";

const DAEMON = 1;
const root = process.getuid?.() === 0 ? null : "needs root: files of several owners";

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "tt-hostile-"));
  chmodSync(dir, 0o755);
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "d"));
  return dir;
}

type Outcome = { events: EventBody[]; summary: RotationSummary; faults: readonly { message: string }[] };

async function rotate(dir: string, text: string, some: Partial<RotateOptions> = {}): Promise<Outcome> {
  writeFileSync(join(dir, "conf"), text, { mode: 0o644 });
  const options = { configs: [join(dir, "conf")], statePath: join(dir, "state"), force: true, ...some };
  const rotation = await loadRotation(options);
  const events: EventBody[] = [];
  const summary = await runRotations(rotation, options, (body) => {
    events.push(body);
    return body as Event;
  });
  return { events, summary, faults: rotation.faults };
}

const failures = (events: readonly EventBody[]): string[] =>
  events.flatMap((event) => (event.type === "rotation.failed" ? [event.why] : []));

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

test("a directory that a user can exchange for a link leads nowhere else", { timeout: 60_000 }, async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const [home, victim] = [join(dir, "home"), join(dir, "victim")];
  mkdirSync(join(home, "logs"), { recursive: true });
  mkdirSync(victim);
  for (const path of [home, join(home, "logs")]) chownSync(path, DAEMON, DAEMON);
  const log = join(home, "logs/a.log");
  // `su root root` is what an administrator writes to be rid of the warning, and what made "logrotten" work.
  const text = `${log} {\n su root root\n rotate 3\n create 0644 daemon daemon\n compress\n missingok\n}\n`;
  // The user exchanges the directory for a link to the victim and back, as fast as the machine allows, and rests now and then:
  // some rotations take place.
  const swap = `const fs = require("node:fs");
    const [home, victim] = process.argv.slice(1);
    process.on("SIGTERM", () => process.exit(0));
    console.log("ready");
    const go = () => {
      for (let i = 0; i < 50; i++) {
        try { fs.renameSync(home + "/logs", home + "/real"); fs.symlinkSync(victim, home + "/logs"); } catch {}
        try { fs.unlinkSync(home + "/logs"); fs.renameSync(home + "/real", home + "/logs"); } catch {}
      }
      setTimeout(go, Math.random() * 8);
    };
    go();`;
  const racer = spawn(process.execPath, ["-e", swap, home, victim], {
    uid: DAEMON,
    gid: DAEMON,
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => racer.kill("SIGKILL"));
  await new Promise((resolve) => racer.stdout.once("data", resolve));
  let rotated = 0;
  for (let round = 0; round < 60; round++) {
    for (const at of ["logs", "real"]) {
      try {
        if (lstatSync(join(home, at)).isDirectory()) writeFileSync(join(home, at, "a.log"), "line\n");
      } catch {
        // Exchanged between two looks.
      }
    }
    for (const name of readdirSync(victim)) rmSync(join(victim, name));
    const { summary } = await rotate(dir, text);
    rotated += summary.rotated;
    assert.deepEqual(
      readdirSync(victim).filter((name) => name !== "a.log"),
      [],
      `round ${round}`,
    );
  }
  racer.kill("SIGTERM");
  await new Promise((resolve) => racer.once("close", resolve));
  t.diagnostic(`${rotated} of 60 rotations took place, none in the victim`);
});

test("a log that a user can exchange for a link leads to nobody else's file", {
  timeout: 60_000,
}, async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const [home, victim] = [join(dir, "home"), join(dir, "victim")];
  mkdirSync(home);
  chownSync(home, DAEMON, DAEMON);
  writeFileSync(victim, "precious\n", { mode: 0o600 });
  const log = join(home, "a.log");
  // The log is by turns a file of the user's, a symbolic link to the victim, a hard link to it, and gone. It is root
  // who plays the user here, for kernels where users may link to files that are not theirs (fs.protected_hardlinks = 0).
  const swap = `const fs = require("node:fs");
    const [log, victim] = process.argv.slice(1);
    process.on("SIGTERM", () => process.exit(0));
    const put = [
      () => fs.writeFileSync(log + ".new", "line\\n"),
      () => fs.symlinkSync(victim, log + ".new"),
      () => fs.writeFileSync(log + ".new", "line\\n"),
      () => fs.linkSync(victim, log + ".new"),
    ];
    console.log("ready");
    let i = 0;
    const go = () => {
      for (let n = 0; n < 9; n++, i++) {
        try { put[i % put.length](); fs.renameSync(log + ".new", log); } catch { try { fs.unlinkSync(log + ".new"); } catch {} }
        if (i % 8 === 5) try { fs.unlinkSync(log); } catch {}
      }
      setTimeout(go, Math.random() * 12);
    };
    go();`;
  const racer = spawn(process.execPath, ["-e", swap, log, victim], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => racer.kill("SIGKILL"));
  await new Promise((resolve) => racer.stdout.once("data", resolve));
  let rotated = 0;
  for (let round = 0; round < 90; round++) {
    const manner = [
      "copytruncate",
      "create 0644 daemon daemon",
      "create\n shred\n shredcycles 1",
      "renamecopy\n create",
    ][round % 4];
    const text = `${log} {\n su root root\n rotate 2\n ${manner}\n compress\n missingok\n}\n`;
    rotated += (await rotate(dir, text)).summary.rotated;
    const { mode, uid } = statSync(victim);
    assert.deepEqual(
      [readFileSync(victim, "utf8"), mode & 0o777, uid],
      ["precious\n", 0o600, 0],
      `round ${round}, ${manner}`,
    );
  }
  racer.kill("SIGTERM");
  await new Promise((resolve) => racer.once("close", resolve));
  t.diagnostic(`${rotated} of 90 rotations took place, none in the victim`);
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

test("no new file is readable wider than it will be, for an instant", { timeout: 60_000 }, async (t) => {
  const dir = scratch(t);
  const log = join(dir, "d/a.log");
  // Looks at every file there, over and over, and tells of any that its group or others may read.
  const watch = `const fs = require("node:fs");
    const dir = process.argv[1];
    process.on("SIGTERM", () => { process.stdout.write(JSON.stringify([...seen])); process.exit(0); });
    const seen = new Set();
    const go = () => {
      for (let i = 0; i < 100; i++) for (const name of fs.readdirSync(dir)) {
        try { const { mode } = fs.lstatSync(dir + "/" + name); if (mode & 0o077) seen.add(name + " " + (mode & 0o777).toString(8)); } catch {}
      }
      setImmediate(go);
    };
    process.stderr.write("ready");
    go();`;
  const watcher = spawn(process.execPath, ["-e", watch, join(dir, "d")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => watcher.kill("SIGKILL"));
  await new Promise((resolve) => watcher.stderr.once("data", resolve));
  const umask = process.umask(0);
  try {
    writeFileSync(log, "secret\n", { mode: 0o600 });
    for (let round = 0; round < 40; round++) {
      const manner = ["create 0600", "copytruncate", "renamecopy\n create"][round % 3];
      const { summary } = await rotate(dir, `${log} {\n rotate 3\n compress\n ${manner}\n}\n`);
      assert.equal(summary.exitStatus, 0);
    }
  } finally {
    process.umask(umask);
  }
  let said = "";
  watcher.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  watcher.kill("SIGTERM");
  await new Promise((resolve) => watcher.once("close", resolve));
  assert.equal(said, "[]");
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
