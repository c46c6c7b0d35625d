// Following what is no decent log: endless lines, holes, pipes, links, files that may not be read.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { rig } from "./rig.ts";

test("an over-long line is cut, told, and its rest skipped, across restarts", async (t) => {
  const r = rig(t);
  const options = { maxLineBytes: 100 };
  appendFileSync(r.log, `before\n${"x".repeat(5_000)}`);
  await r.poll(options);
  appendFileSync(r.log, "y".repeat(5_000));
  await r.poll(options);
  appendFileSync(r.log, "\nafter\n");
  await r.poll(options);
  assert.deepEqual(r.got, ["before", "x".repeat(100), "after"]);
  const [notice, ...more] = r.notices;
  assert.ok(notice?.type === "lines.skipped" && notice.count === 1 && /longer than 100/.test(notice.because));
  assert.deepEqual(more, []);
});

test("ten megabytes without a newline take no more memory than a chunk, and one line", async (t) => {
  const r = rig(t);
  for (let i = 0; i < 10; i++) appendFileSync(r.log, Buffer.alloc(1024 * 1024, 0x61));
  appendFileSync(r.log, "\nafter\n");
  await r.poll();
  assert.deepEqual(
    r.got.map((line) => line.length),
    [64 * 1024, 5],
  );
});

test("the hole that a writer without O_APPEND leaves after copytruncate is skipped and told", async (t) => {
  const r = rig(t);
  const fd = openSync(r.log, "w");
  const line = Buffer.from(`${"before".padEnd(99)}\n`);
  for (let i = 0; i < 30; i++) writeSync(fd, line);
  await r.poll();
  copyFileSync(r.log, `${r.log}.1`);
  truncateSync(r.log, 0);
  writeSync(fd, "after\n");
  await r.poll();
  assert.equal(r.got.length, 31);
  assert.equal(r.got.at(-1), "after");
  const [notice] = r.notices;
  assert.ok(
    notice?.type === "lines.skipped" && /3000 NUL bytes/.test(notice.because),
    JSON.stringify(notice),
  );
});

test("FIFOs, devices, sockets and folders in the place of a log are named and never wait", async (t) => {
  const r = rig(t);
  const fifo = join(r.dir, "fifo.log");
  const folder = join(r.dir, "folder.log");
  execFileSync("mkfifo", [fifo]);
  mkdirSync(folder);
  const paths = [fifo, folder, "/dev/null"];
  const follower = r.follower({ paths, cursors: { get: () => null } });
  await follower.poll();
  await follower.poll();
  await follower.stop();
  const told = r.events.map((event) => (event.type === "log.unreadable" ? [event.path, event.why] : event));
  assert.deepEqual(
    told,
    paths.map((path) => [path, "not a regular file"]),
  );
});

test("a FIFO among the generations is passed over", async (t) => {
  const r = rig(t);
  r.write(2);
  await r.poll();
  renameSync(r.log, `${r.log}.2`);
  execFileSync("mkfifo", [`${r.log}.1`]);
  r.write(2);
  await r.poll();
  r.complete("past the FIFO");
});

test("root's link to a log is followed, through rotation of what it leads to", async (t) => {
  const r = rig(t);
  const real = join(r.dir, "real.log");
  symlinkSync(real, r.log);
  r.write(2, real);
  await r.poll();
  r.write(2, real);
  renameSync(real, `${real}.1`);
  r.write(2, real);
  await r.poll();
  r.complete("rename behind the link");
  const next = join(r.dir, "next.log");
  r.write(2, next);
  unlinkSync(r.log);
  symlinkSync(next, r.log);
  await r.poll();
  r.complete("the link leads elsewhere");
});

test("a link that a stranger made to somebody else's file is refused", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root: run as root");
  const r = rig(t);
  const secret = join(r.dir, "secret");
  writeFileSync(secret, "root:hash\n", { mode: 0o600 });
  symlinkSync(secret, r.log);
  execFileSync("chown", ["-h", "65534:65534", r.log]);
  await r.poll();
  assert.deepEqual(r.got, []);
  const [event] = r.events;
  assert.ok(event?.type === "log.unreadable" && /symbolic link that user 65534 made/.test(event.why));
});

test("a log that may not be read is told once, with the mend, and read once it may be", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root: run as root");
  const r = rig(t);
  r.write(2);
  chmodSync(r.log, 0o600);
  chmodSync(r.dir, 0o755);
  const follower = r.follower();
  process.seteuid?.(65534);
  try {
    await follower.poll();
    await follower.poll();
  } finally {
    process.seteuid?.(0);
  }
  assert.equal(r.events.length, 1);
  const [event] = r.events;
  assert.ok(event?.type === "log.unreadable" && /permission denied .*mode 0600/.test(event.why));
  await follower.poll();
  await follower.stop();
  r.complete("readable now");
});
