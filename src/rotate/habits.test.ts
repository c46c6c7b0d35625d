// What trees and scripts around logrotate have come to rely on, in cases that its documentation leaves open.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Event, EventBody } from "../core/events.ts";
import { formatStamp } from "./names/match.ts";
import { loadRotation, runRotations } from "./run.ts";
import type { RotateOptions } from "./types.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-habits-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d/web.log"), "request\n");
  return root;
}

async function rotate(root: string, text: string, some: Partial<RotateOptions> = {}) {
  writeFileSync(join(root, "conf"), text.replaceAll("ROOT", root), { mode: 0o644 });
  const options = { configs: [join(root, "conf")], statePath: join(root, "state"), force: true, ...some };
  const rotation = await loadRotation(options);
  const events: EventBody[] = [];
  const summary = await runRotations(rotation, options, (body) => {
    events.push(body);
    return body as Event;
  });
  return { rotation, events, status: summary.exitStatus };
}

function read(root: string, path: string): string {
  return readFileSync(join(root, path), "utf8");
}

test("the compressor is told the name of what it reads, and what it says is passed on", async (t) => {
  const root = scratch(t);
  writeFileSync(
    join(root, "squeeze"),
    `#!/bin/sh\necho "$LOGROTATE_COMPRESSED_FILENAME" > ${root}/name\necho strange bytes >&2\nexec gzip\n`,
    { mode: 0o755 },
  );
  const { events, status } = await rotate(
    root,
    "ROOT/d/web.log {\n rotate 2\n compress\n compresscmd ROOT/squeeze\n}\n",
  );
  assert.equal(read(root, "name"), `${root}/d/web.log.1\n`);
  assert.equal(status, 0);
  const warning = events.map((event) => (event.type === "log.rotated" ? event.warning : "")).join();
  assert.match(
    warning,
    /^Compressing program wrote following message to stderr when compressing log .*web\.log\.1:\nstrange bytes$/,
  );
});

test("a copy of a log with holes has them too, and every byte", async (t) => {
  const root = scratch(t);
  const log = join(root, "d/web.log");
  for (const tail of ["end\n", ""]) {
    writeFileSync(log, "begin\n");
    truncateSync(log, 40_000_001);
    writeFileSync(log, tail, { flag: "a" });
    const before = readFileSync(log);
    await rotate(root, "ROOT/d/web.log {\n rotate 1\n copytruncate\n}\n");
    assert.ok(readFileSync(`${log}.1`).equals(before));
    assert.ok(statSync(`${log}.1`).blocks * 512 < 200_000, `${statSync(`${log}.1`).blocks} blocks`);
    assert.equal(statSync(log).size, 0);
  }
});

test("a generation that a script has removed already is no error", async (t) => {
  const root = scratch(t);
  writeFileSync(join(root, "d/web.log.1"), "old");
  for (const how of ["", " shred\n"]) {
    const { status } = await rotate(
      root,
      `ROOT/d/web.log {\n rotate 1\n${how} create\n postrotate\n  rm -f ROOT/d/web.log.2\n endscript\n}\n`,
    );
    assert.equal(status, 0);
  }
});

test("firstaction and lastaction run for logs that are due though something stands in their way", async (t) => {
  const root = scratch(t);
  const taken = `d/web.log${formatStamp("-%Y%m%d", new Date())}`;
  writeFileSync(join(root, taken), "taken");
  const { status } = await rotate(
    root,
    "ROOT/d/web.log {\n rotate 1\n dateext\n firstaction\n  echo first >> ROOT/calls\n endscript\n prerotate\n  echo pre >> ROOT/calls\n endscript\n lastaction\n  echo last >> ROOT/calls\n endscript\n}\n",
  );
  assert.equal(status, 1);
  assert.equal(read(root, "calls"), "first\nlast\n");
  assert.equal(read(root, taken), "taken");
  assert.equal(read(root, "d/web.log"), "request\n");
});

test("a log that a pattern reaches by two ways is rotated once", async (t) => {
  const root = scratch(t);
  symlinkSync("d", join(root, "way"));
  for (const shared of ["", " sharedscripts\n"]) {
    writeFileSync(join(root, "d/web.log"), "again\n");
    const { status } = await rotate(
      root,
      `ROOT/*/web.log {\n rotate 9\n${shared} postrotate\n  true\n endscript\n}\n`,
    );
    assert.equal(status, 0);
    assert.equal(read(root, "d/web.log.1"), "again\n");
  }
  assert.deepEqual(readdirSync(join(root, "d")).sort(), ["web.log.1", "web.log.2"]);
});

test("hard links that are allowed are rotated each by its name", async (t) => {
  const root = scratch(t);
  linkSync(join(root, "d/web.log"), join(root, "d/twin.log"));
  const { status } = await rotate(root, "ROOT/d/*.log {\n rotate 1\n allowhardlink\n}\n");
  assert.equal(status, 0);
  assert.deepEqual(readdirSync(join(root, "d")).sort(), ["twin.log.1", "web.log.1"]);
});

test("~ in olddir is the home of whoever runs it", async (t) => {
  const root = scratch(t);
  const home = process.env.HOME;
  t.after(() => {
    process.env.HOME = home;
  });
  process.env.HOME = root;
  const { status } = await rotate(
    root,
    "ROOT/d/web.log {\n rotate 1\n olddir ~/attic\n createolddir 0700\n}\n",
  );
  assert.equal(status, 0);
  assert.equal(read(root, "attic/web.log.1"), "request\n");
});

test("two numbers after create are an owner and a group, unless the first is written as octal", async (t) => {
  const root = scratch(t);
  for (const [words, mode, uid, gid] of [
    ["1001 1002", null, 1001, 1002],
    ["0755 1 2", 0o755, 1, 2],
    ["0640 1", 0o640, 1, null],
    ["700", 0o700, null, null],
    ["644 root", 0o644, 0, null],
  ] as const) {
    const { rotation } = await rotate(root, `ROOT/d/none.log {\n missingok\n create ${words}\n}\n`);
    assert.deepEqual(rotation.stanzas[0]?.settings.create, { mode, uid, gid }, words);
  }
});

test("a prerotate that fails keeps its log and every generation as they are, alone or shared", async (t) => {
  for (const shared of ["", " sharedscripts\n"]) {
    const root = scratch(t);
    writeFileSync(join(root, "d/web.log.1"), "older\n");
    writeFileSync(join(root, "d/web.log.2"), "oldest\n");
    const text = `ROOT/d/*.log {\n rotate 2\n compress\n delaycompress\n${shared} prerotate\n  exit 1\n endscript\n}\n`;
    assert.equal((await rotate(root, text)).status, 1);
    assert.deepEqual(readdirSync(join(root, "d")).sort(), ["web.log", "web.log.1", "web.log.2"], shared);
    assert.equal(read(root, "d/web.log.1"), "older\n");
  }
});

test("maxage counts whole days: what is a day and an hour old is not older than one day", async (t) => {
  const root = scratch(t);
  const HOUR = 3600;
  for (const [index, hours] of [20, 25, 47, 49].entries()) {
    const path = join(root, `d/web.log.${index + 1}`);
    writeFileSync(path, `${hours} hours\n`);
    utimesSync(path, Date.now() / 1000 - hours * HOUR, Date.now() / 1000 - hours * HOUR);
  }
  assert.equal((await rotate(root, "ROOT/d/web.log {\n rotate -1\n maxage 1\n}\n")).status, 0);
  const left = readdirSync(join(root, "d")).sort();
  assert.deepEqual(left, ["web.log.1", "web.log.2", "web.log.3", "web.log.4"]);
  assert.equal(read(root, "d/web.log.4"), "47 hours\n");
});

test("copytruncate with rotate 0 and mail mails the log before nothing is left of it", async (t) => {
  for (const more of ["", " compress\n", " compress\n delaycompress\n"]) {
    const root = scratch(t);
    writeFileSync(join(root, "mailer"), `#!/bin/sh\ncat >> ${root}/mailed\n`, { mode: 0o755 });
    const text = `ROOT/d/web.log {\n rotate 0\n copytruncate\n mail root\n${more}}\n`;
    const { status } = await rotate(root, text, { mailCommand: [join(root, "mailer")] });
    assert.equal(status, 0, more);
    assert.equal(read(root, "mailed"), "request\n", more);
    assert.deepEqual(readdirSync(join(root, "d")), ["web.log"], more);
    assert.equal(read(root, "d/web.log"), "");
  }
});

test("files that an administrator put aside are not included", async (t) => {
  const root = scratch(t);
  mkdirSync(join(root, "more"));
  for (const name of ["a", "a.old", "a.new", "a.orig"])
    writeFileSync(join(root, "more", name), `${root}/d/${name} {\n missingok\n}\n`, { mode: 0o644 });
  const { rotation } = await rotate(root, "include ROOT/more\n");
  assert.deepEqual(
    rotation.stanzas.map((stanza) => stanza.patternText),
    [join(root, "d/a")],
  );
});

test("on an overlay, where a file and its directory differ in device, a log is rotated beside itself", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root to mount an overlay");
  const root = scratch(t);
  for (const name of ["lower/d", "top", "seen"]) mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, "lower/d/web.log"), "request\n");
  try {
    spawnSync("mount", ["-t", "tmpfs", "telltale-overlay", join(root, "top")]);
    for (const name of ["upper", "work"]) mkdirSync(join(root, "top", name));
    const layers = `lowerdir=${root}/lower,upperdir=${root}/top/upper,workdir=${root}/top/work`;
    const laid = spawnSync("mount", ["-t", "overlay", "-o", layers, "telltale-overlay", join(root, "seen")]);
    if (laid.status !== 0) return t.skip("needs mount, and a kernel with overlayfs");
    const { events, status } = await rotate(root, "ROOT/seen/d/web.log {\n rotate 2\n create\n}\n");
    assert.deepEqual([status, events.find(({ type }) => type === "rotation.failed")], [0, undefined]);
    assert.equal(read(root, "seen/d/web.log.1"), "request\n");
  } finally {
    for (const name of ["seen", "top"]) spawnSync("umount", ["-l", join(root, name)]);
  }
});

test("a named pipe that a pattern matches stays where its reader is", async (t) => {
  const root = scratch(t);
  if (spawnSync("mkfifo", [join(root, "d/pipe.log")]).status !== 0)
    return t.skip("needs mkfifo: apt install coreutils");
  const { status } = await rotate(root, "ROOT/d/*.log {\n rotate 1\n compress\n}\n");
  assert.equal(status, 0);
  assert.deepEqual(readdirSync(join(root, "d")).sort(), ["pipe.log", "web.log.1.gz"]);
});

test("strictly as logrotate: a pipe is moved like a log, and said not to be compressible", async (t) => {
  const root = scratch(t);
  if (spawnSync("mkfifo", [join(root, "d/pipe.log")]).status !== 0)
    return t.skip("needs mkfifo: apt install coreutils");
  const { events, status } = await rotate(root, "ROOT/d/*.log {\n rotate 1\n compress\n create\n}\n", {
    strict: true,
  });
  assert.equal(status, 1);
  assert.match(
    events.map((event) => (event.type === "rotation.failed" ? event.why : "")).join(),
    /unable to open .*pipe\.log\.1 \(read-only\) for compression: Operation not supported/,
  );
  assert.deepEqual(readdirSync(join(root, "d")).sort(), [
    "pipe.log",
    "pipe.log.1",
    "web.log",
    "web.log.1.gz",
  ]);
  assert.ok(statSync(join(root, "d/pipe.log")).isFile() && statSync(join(root, "d/pipe.log.1")).isFIFO());
});

test("one missing log of those that share scripts costs itself; strictly as logrotate, all of them", async (t) => {
  const root = scratch(t);
  const text = `ROOT/d/web.log ROOT/d/gone.log {\n rotate 2\n create\n sharedscripts\n prerotate\n echo pre >> ${root}/ran\n endscript\n postrotate\n echo post >> ${root}/ran\n endscript\n}\n`;
  const strict = await rotate(root, text, { strict: true });
  assert.equal(strict.status, 1);
  assert.deepEqual(readdirSync(join(root, "d")), ["web.log"]);
  assert.ok(!existsSync(join(root, "ran")));
  const kind = await rotate(root, text);
  assert.equal(kind.status, 1);
  assert.deepEqual(readdirSync(join(root, "d")).sort(), ["web.log", "web.log.1"]);
  assert.equal(read(root, "ran"), "pre\npost\n");
});

test("ignoreduplicates in the stanza that has the log lets later ones name it again", async (t) => {
  const root = scratch(t);
  writeFileSync(join(root, "d/mail.log"), "mail\n");
  const { status, rotation } = await rotate(
    root,
    "ROOT/d/web.log {\n rotate 1\n ignoreduplicates\n}\nROOT/d/*.log {\n rotate 1\n}\n",
  );
  assert.deepEqual([status, rotation.faults], [0, []]);
  assert.deepEqual(readdirSync(join(root, "d")).sort(), ["mail.log.1", "web.log.1"]);
  writeFileSync(join(root, "d/web.log"), "new\n");
  const late = await rotate(
    root,
    "ROOT/d/web.log {\n rotate 1\n}\nROOT/d/*.log {\n rotate 1\n ignoreduplicates\n}\n",
  );
  assert.match(late.rotation.faults.map((fault) => fault.message).join(), /duplicate log entry/);
});

test("a } without its { costs what stands before it, and no more", async (t) => {
  const root = scratch(t);
  const { rotation, status } = await rotate(
    root,
    "ROOT/d/none.log\n rotate 3\n}\nROOT/d/web.log {\n rotate 1\n}\n",
  );
  assert.deepEqual(
    rotation.faults.map(({ line, message }) => `${line} ${message}`),
    ["3 unexpected } (missing previous '{')"],
  );
  assert.equal(status, 1);
  assert.equal(read(root, "d/web.log.1"), "request\n");
});

test("reading notes its files, what it passes by, and a criterion that replaces another", async (t) => {
  const root = scratch(t);
  mkdirSync(join(root, "parts/deeper"), { recursive: true });
  const size = `${root}/d/web.log {\n size 5\n daily\n}\n`;
  writeFileSync(join(root, "parts/web"), size, { mode: 0o644 });
  writeFileSync(join(root, "parts/web.bak"), "nonsense {", { mode: 0o644 });
  const { rotation } = await rotate(root, "weekly\ntaboopat + .*\ninclude ROOT/parts\n");
  assert.deepEqual(rotation.faults, []);
  assert.deepEqual(
    rotation.notes?.map(({ text }) => text.replaceAll(root, "ROOT")),
    [
      "reading config file ROOT/conf",
      "including ROOT/parts",
      "Ignoring deeper because it's not a regular file.",
      "Ignoring web.bak, because of *.bak pattern match",
      "reading config file ROOT/parts/web",
      "note: 'daily' overrides previously specified 'size'",
    ],
  );
});

test("a stanza may include directives and scripts, and no stanzas", async (t) => {
  const root = scratch(t);
  const common = "rotate 3\ncreate 0600\npostrotate\n echo moved >> ROOT/calls\nendscript\n";
  writeFileSync(join(root, "common"), common.replaceAll("ROOT", root), { mode: 0o644 });
  const text = "ROOT/d/web.log {\n include ROOT/common\n missingok\n}\n";
  const { rotation, status } = await rotate(root, text);
  assert.deepEqual([status, rotation.faults], [0, []]);
  assert.equal(read(root, "calls"), "moved\n");
  assert.equal(statSync(join(root, "d/web.log")).mode & 0o777, 0o600);
  assert.equal(rotation.stanzas[0]?.origins.rotate?.file, join(root, "common"));
  for (const bad of ["/x {\n}\n", "rotate x\n", "include ROOT/common\n", "include ROOT/none\n"]) {
    writeFileSync(join(root, "common"), bad.replaceAll("ROOT", root), { mode: 0o644 });
    const broken = await rotate(root, text);
    assert.deepEqual([broken.status, broken.rotation.stanzas.length], [1, 0], bad);
  }
});

test("the state keeps its access list, loses the right of all to lock it, and its time shows each run", async (t) => {
  const root = scratch(t);
  const state = join(root, "state");
  const text = "ROOT/d/web.log {\n rotate 1\n create\n}\n";
  await rotate(root, text);
  const granted = spawnSync("setfacl", ["-m", "u:nobody:r", state]);
  chmodSync(state, 0o644);
  utimesSync(state, 1, 1);
  await rotate(root, text, { force: false });
  assert.equal(statSync(state).mode & 0o777, 0o640);
  assert.ok(statSync(state).mtimeMs > 1_000_000_000_000);
  if (granted.error !== undefined) return t.skip("needs setfacl: apt install acl");
  await rotate(root, `${text}ROOT/d/new.log {\n missingok\n}\n`);
  const list = spawnSync("getfacl", ["-p", state], { encoding: "utf8" }).stdout;
  assert.match(list, /user:nobody:r--/);
  assert.ok(!existsSync(`${state}.tmp`));
});

test("createolddir without a mode makes a directory that all may list and only its owner may write", async (t) => {
  const root = scratch(t);
  const { status } = await rotate(root, "ROOT/d/web.log {\n rotate 1\n olddir old\n createolddir\n}\n");
  assert.deepEqual([status, statSync(join(root, "d/old")).mode & 0o7777], [0, 0o755]);
});
