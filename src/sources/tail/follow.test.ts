import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { rig, until } from "./rig.ts";

const LONG_AGO = new Date("2026-01-01T00:00:00Z");

/** Replaces a file by its compressed form, keeping its time as compressors do. */
function compress(path: string, kind: "gz" | "zst" | "xz" | "bz2"): string {
  const { atime, mtime } = statSync(path);
  const to = `${path}.${kind}`;
  if (kind === "gz") writeFileSync(to, gzipSync(readFileSync(path)));
  if (kind === "zst") writeFileSync(to, zstdCompressSync(readFileSync(path)));
  if (kind === "xz" || kind === "bz2") {
    execFileSync(kind === "xz" ? "xz" : "bzip2", ["-k", path]);
  }
  utimesSync(to, atime, mtime);
  unlinkSync(path);
  return to;
}

function shift(log: string, from: number): void {
  for (let n = from; n >= 1; n--) renameSync(`${log}.${n}`, `${log}.${n + 1}`);
  renameSync(log, `${log}.1`);
}

test("reads what is there, then only what is new", async (t) => {
  const r = rig(t);
  r.write(3);
  await r.poll();
  await r.poll();
  r.write(2);
  await r.poll();
  r.complete("all once");
});

test("asked to begin at the end, takes the unfinished last line when it is finished", async (t) => {
  const r = rig(t);
  appendFileSync(r.log, "old\nbegun");
  await r.poll({ from: "end" });
  assert.deepEqual(r.got, []);
  appendFileSync(r.log, " and ended\nnew\n");
  await r.poll({ from: "end" });
  assert.deepEqual(r.got, ["begun and ended", "new"]);
});

test("a log that appears later is read from its first byte, even when asked to begin at the end", async (t) => {
  const r = rig(t);
  await r.poll({ from: "end" });
  r.write(4);
  await r.poll({ from: "end" });
  r.complete("all");
});

test("a log that appeared and was rotated between two looks is read whole", async (t) => {
  const r = rig(t);
  await r.poll();
  r.write(4);
  shift(r.log, 0);
  r.write(4);
  await r.poll();
  r.complete("both generations");
});

test("reads the rest of a renamed file before the new one", async (t) => {
  const r = rig(t);
  r.write(5);
  await r.poll();
  r.write(5);
  shift(r.log, 0);
  r.write(5);
  await r.poll();
  r.complete("rename");
});

for (const kind of ["gz", "zst", "xz", "bz2"] as const) {
  test(`reads several rotations since the last look, compressed with ${kind}`, async (t) => {
    const tool = kind === "xz" ? "xz" : kind === "bz2" ? "bzip2" : null;
    if (tool !== null && spawnSync(tool, ["--version"]).error !== undefined) {
      t.skip(`needs ${tool}: apt install ${tool === "xz" ? "xz-utils" : tool}`);
      return;
    }
    const r = rig(t);
    r.write(50);
    await r.poll();
    r.write(5);
    shift(r.log, 0);
    compress(`${r.log}.1`, kind);
    r.write(7);
    renameSync(`${r.log}.1.${kind}`, `${r.log}.2.${kind}`);
    renameSync(r.log, `${r.log}.1`);
    compress(`${r.log}.1`, kind);
    r.write(3);
    await r.poll();
    await r.poll();
    r.complete(kind);
    assert.deepEqual([...r.notices, ...r.events], []);
  });
}

test("reads dated generations in the order of their dates", async (t) => {
  const r = rig(t);
  r.write(5);
  await r.poll();
  for (const date of ["20251231", "20260101", "20260102"]) {
    r.write(2);
    renameSync(r.log, `${r.log}-${date}`);
    // All of one moment, as after a restore from backup.
    utimesSync(`${r.log}-${date}`, LONG_AGO, new Date());
  }
  r.write(1);
  await r.poll();
  r.complete("dates");
});

test("finds generations in the folder that olddir names", async (t) => {
  const r = rig(t);
  const old = join(r.dir, "old");
  mkdirSync(old);
  r.write(5);
  await r.poll();
  r.write(5);
  renameSync(r.log, join(old, "app.log.1"));
  r.write(5);
  await r.poll({ generationFolders: () => [old] });
  r.complete("olddir");
});

test("reads the rest of a copy that copytruncate made, though the log has grown past the old place", async (t) => {
  const r = rig(t);
  r.write(5);
  await r.poll();
  r.write(5);
  copyFileSync(r.log, `${r.log}.1`);
  truncateSync(r.log, 0);
  r.write(50);
  await r.poll();
  r.complete("copytruncate");
  assert.deepEqual(r.notices, []);
});

test("copytruncate behind a constant header is told by what stands before the place", async (t) => {
  const r = rig(t);
  const header = `${"#".repeat(1_500)}\n`;
  writeFileSync(r.log, header);
  r.write(5);
  await r.poll();
  r.write(5);
  copyFileSync(r.log, `${r.log}.1`);
  writeFileSync(r.log, header);
  r.write(50);
  await r.poll();
  assert.equal(r.got.filter((line) => line.startsWith("#")).length, 2);
  r.got.splice(0, r.got.length, ...r.got.filter((line) => !line.startsWith("#")));
  r.complete("header");
});

test("a copy that ends before our place holds nothing new and is no sign of tampering", async (t) => {
  const r = rig(t);
  r.write(200);
  copyFileSync(r.log, `${r.log}.1`);
  r.write(5);
  await r.poll();
  truncateSync(r.log, 0);
  r.write(3);
  await r.poll();
  r.complete("short copy");
  assert.deepEqual(r.notices, []);
});

test("a file that shrank without a rotation is told, and read from its start", async (t) => {
  const r = rig(t);
  r.write(50);
  await r.poll();
  const fromBytes = statSync(r.log).size;
  writeFileSync(r.log, "someone was here\n");
  await r.poll();
  assert.equal(r.got.at(-1), "someone was here");
  assert.deepEqual(r.notices, [{ type: "log.shrank", path: r.log, fromBytes, toBytes: 17 }]);
  await r.poll();
  assert.equal(r.notices.length, 1, "told once");
});

test("a file whose place is gone without a trace is told as a gap", async (t) => {
  const r = rig(t);
  r.write(5);
  await r.poll();
  unlinkSync(r.log);
  writeFileSync(join(r.dir, "keeps the old inode number in use"), "");
  r.write(5);
  await r.poll();
  r.complete("the new file is read whole");
  assert.equal(r.notices[0]?.type, "lines.skipped");
});

test("a last line without newline waits, and is handed out when the file was rotated away", async (t) => {
  const r = rig(t);
  appendFileSync(r.log, "whole\nunfinished");
  await r.poll();
  assert.deepEqual(r.got, ["whole"]);
  shift(r.log, 0);
  writeFileSync(r.log, "new\n");
  await r.poll();
  assert.deepEqual(r.got, ["whole", "unfinished", "new"]);
});

test("a line that its writer finishes in the renamed file, before it reopens, stays one line", async (t) => {
  const r = rig(t);
  appendFileSync(r.log, "begun, ");
  await r.poll();
  shift(r.log, 0);
  writeFileSync(r.log, "");
  await r.poll();
  assert.deepEqual(r.got, []);
  appendFileSync(`${r.log}.1`, "and ended\nlate\n");
  await r.poll();
  assert.deepEqual(r.got, ["begun, and ended", "late"]);
});

test("lines written to the renamed file after the new one was begun are not lost, across restarts", async (t) => {
  const r = rig(t);
  r.write(3);
  await r.poll();
  shift(r.log, 0);
  writeFileSync(r.log, "");
  await r.poll();
  r.write(2, `${r.log}.1`);
  await r.poll();
  r.write(2);
  await r.poll();
  r.complete("in order here, since the new file was empty");
  r.write(1, `${r.log}.1`);
  compress(`${r.log}.1`, "gz");
  await r.poll();
  r.complete("even when it was compressed since");
});

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

test("when a batch is refused it comes again whole, and nothing comes twice", async (t) => {
  const r = rig(t);
  r.write(10_000);
  let calls = 0;
  r.refuse = () => {
    if (++calls % 3 !== 0) throw new Error("disk full");
  };
  for (let tries = 0; r.got.length < 10_000 && tries < 50; tries++) {
    await r.poll().catch((error: Error) => assert.equal(error.message, "disk full"));
  }
  r.complete("after many refusals");
});

test("a refused batch of one log does not keep another log from being read", async (t) => {
  const r = rig(t);
  const other = join(r.dir, "other.log");
  r.write(1);
  writeFileSync(other, "other\n");
  const seen: string[] = [];
  const follower = r.follower({
    paths: [r.log, other],
    cursors: { get: () => null },
    commit: ({ source }) => {
      if (source === r.log) throw new Error("no");
      seen.push(source);
    },
  });
  await assert.rejects(follower.poll(), /^Error: no$/);
  await follower.stop();
  assert.ok(seen.includes(other));
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

test("a damaged archive costs its own lines, says so, and the rest is read", async (t) => {
  const r = rig(t);
  r.write(5);
  await r.poll();
  shift(r.log, 0);
  r.write(2);
  shift(r.log, 1);
  const whole = readFileSync(compress(`${r.log}.1`, "gz"));
  writeFileSync(`${r.log}.1.gz`, whole.subarray(0, whole.length - 30));
  const before = r.got.length;
  appendFileSync(r.log, "last\n");
  await r.poll();
  assert.ok(r.got.length > before);
  assert.equal(r.got.at(-1), "last");
  assert.ok(r.events.some((event) => event.type === "log.unreadable" && event.path.endsWith(".1.gz")));
  assert.ok(r.notices.some((notice) => notice.type === "lines.skipped"));
});

test("another followed log is never taken for a generation", async (t) => {
  const r = rig(t);
  const other = join(r.dir, "app.log.2026-11");
  r.write(2);
  writeFileSync(other, "other\n");
  const got: string[] = [];
  const cursors = new Map<string, unknown>();
  const poll = async () => {
    const follower = r.follower({
      paths: [r.log, other],
      cursors: { get: (source) => cursors.get(source) },
      commit: ({ source, lines, cursor }) => {
        cursors.set(source, cursor);
        for (const line of lines) got.push(`${source === other}:${Buffer.from(line)}`);
      },
    });
    await follower.poll();
    await follower.stop();
  };
  await poll();
  renameSync(r.log, `${r.log}.2026-10`);
  appendFileSync(other, "more\n");
  writeFileSync(r.log, "new\n");
  await poll();
  assert.deepEqual(got.slice(-2).sort(), ["false:new", "true:more"]);
  assert.equal(got.length, 5);
});

test("a cursor that is nonsense counts as none", async (t) => {
  const r = rig(t);
  r.write(2);
  for (const nonsense of [7, {}, { v: 2 }, { v: 1, draining: [], spot: { offset: -1 } }]) {
    r.got.length = 0;
    r.cursor = nonsense;
    await r.poll();
    r.complete("from the start");
  }
});

test("stopped in the middle of an archive, it goes on there", async (t) => {
  const r = rig(t);
  r.write(1);
  await r.poll();
  r.write(50_000);
  shift(r.log, 0);
  compress(`${r.log}.1`, "gz");
  r.write(1);
  const follower = r.follower();
  let stopped: Promise<void> | undefined;
  r.refuse = () => {
    if (r.got.length > 5_000) stopped ??= follower.stop();
  };
  await follower.poll();
  await stopped;
  assert.ok(r.got.length > 5_000 && r.got.length < 40_000, `${r.got.length} lines when it stopped`);
  r.refuse = () => {};
  await r.poll();
  r.complete("the rest");
});

test("live: without inotify the slow poll stands in, and it is told", async (t) => {
  const unshare = ["-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"];
  if (spawnSync("unshare", [...unshare, "true"]).status !== 0)
    return t.skip("needs user namespaces: unshare -Ur");
  const r = rig(t);
  const program = `
    import { followFiles } from ${JSON.stringify(new URL("./follow.ts", import.meta.url).href)};
    const say = (what) => console.log(JSON.stringify(what));
    const follower = followFiles({
      paths: [process.argv[1]], pollEveryMs: 20, cursors: { get: () => null }, emit: (body) => (say(body), body),
      commit: ({ lines }) => lines.length > 0 && say({ type: "lines", count: lines.length }),
    });
    await follower.start();
    say({ type: "ready" });`;
  const child = spawn(
    "unshare",
    [...unshare, process.execPath, "--input-type=module", "-e", program, r.log],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await until(() => said.includes('"ready"'), "started");
  r.write(3);
  await until(() => said.includes('"count":3'), "read by the slow poll");
  const events = said
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; mend?: string });
  assert.deepEqual(
    events.map(({ type }) => type),
    ["part.failed", "ready", "lines"],
  );
  assert.match(events[0]?.mend ?? "", /max_user_watches/);
});

test("live: appended lines arrive by themselves, through rename, copytruncate, removal and a late start", async (t) => {
  const r = rig(t);
  const follower = r.follower({ pollEveryMs: 60_000 });
  t.after(() => follower.stop());
  await follower.start();
  const arrives = (what: string) => until(() => r.got.length === r.written, what);
  r.write(3);
  await arrives("a log that appears");
  r.write(3);
  shift(r.log, 0);
  r.write(3);
  await arrives("rename");
  r.write(3, `${r.log}.1`);
  await arrives("late lines in the renamed file");
  r.write(3);
  await arrives("before copytruncate");
  renameSync(`${r.log}.1`, `${r.log}.2`);
  copyFileSync(r.log, `${r.log}.1`);
  truncateSync(r.log, 0);
  r.write(1);
  await arrives("copytruncate");
  rmSync(r.log);
  r.write(3);
  await arrives("removed and begun anew");
  r.complete("in order");
  assert.deepEqual(r.notices, []);
});

test("live: a log that never rests keeps neither the start nor another log nor the stop waiting", async (t) => {
  const r = rig(t);
  const quiet = join(r.dir, "quiet.log");
  const seen: string[] = [];
  const follower = r.follower({
    paths: [r.log, quiet],
    cursors: { get: () => null },
    commit: ({ source, lines }) => {
      if (lines.length > 0) seen.push(source);
    },
  });
  t.after(() => follower.stop());
  const writer = spawn("sh", ["-c", `while :; do echo never resting; done >> ${r.log}`]);
  t.after(() => writer.kill("SIGKILL"));
  await until(() => existsSync(r.log) && statSync(r.log).size > 0, "the writer writes");
  await follower.start();
  assert.ok(seen.includes(r.log));
  appendFileSync(quiet, "one line\n");
  await until(() => seen.includes(quiet), "the quiet log");
  await follower.stop();
  const count = seen.length;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(seen.length, count);
});

test("live: when batches are refused for a while, it says so once and recovers with nothing lost", async (t) => {
  const r = rig(t);
  const follower = r.follower();
  t.after(() => follower.stop());
  await follower.start();
  let refusals = 0;
  r.refuse = () => {
    refusals++;
    throw Object.assign(new Error("no space"), { mend: "free space" });
  };
  r.write(5);
  await until(() => refusals >= 2, "tried again");
  r.refuse = () => {};
  await until(() => r.got.length === r.written, "recovered");
  r.complete("all");
  await until(() => r.events.length >= 2, "both told");
  assert.deepEqual(
    r.events.map((event) => (event.type === "part.failed" ? event.mend : event.type)),
    ["free space", "part.recovered"],
  );
});

test("live: a log that is added is followed, one that is removed is not, and stop ends it", async (t) => {
  const r = rig(t);
  const follower = r.follower({ paths: [] });
  t.after(() => follower.stop());
  await follower.start();
  r.write(2);
  follower.add(r.log, "start");
  await until(() => r.got.length === 2, "added");
  follower.remove(r.log);
  r.write(2);
  await follower.poll();
  assert.equal(r.got.length, 2);
  await follower.stop();
  await r.poll();
  r.complete("its cursor stayed where it was");
});

test("live: a folder that is replaced by another is noticed by the slow poll", async (t) => {
  const r = rig(t);
  const folder = join(r.dir, "sub");
  const log = join(folder, "app.log");
  const follower = r.follower({ paths: [log], pollEveryMs: 50 });
  t.after(() => follower.stop());
  await follower.start();
  mkdirSync(folder);
  r.write(2, log);
  await until(() => r.got.length === 2, "a folder that appears");
  renameSync(folder, `${folder}.old`);
  mkdirSync(folder);
  r.write(2, log);
  await until(() => r.got.length === 4, "a folder that was replaced");
  r.complete("all");
});
