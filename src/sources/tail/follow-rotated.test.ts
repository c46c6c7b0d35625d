// Following a log through every way of rotating it: each line of each generation comes once, in order.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { rig, shift } from "./rig.ts";

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
