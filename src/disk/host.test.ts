// What the room asks of the host: packages, the journal, file systems, the newest lines, the reserve.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { journalUses, systemMaxUse } from "./journal.ts";
import { lookAtRooms } from "./mounts.ts";
import { newestLines } from "./newlines.ts";
import { byDpkg, packageOf } from "./packages.ts";
import { keepReserve, RESERVE_NAME, releaseReserve } from "./reserve.ts";
import { vacuumJournal, vacuumOption } from "./vacuum.ts";
import { filesUnder } from "./walk.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-host-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

test("names the package of a program by dpkg's lists, also where /usr was merged", async (t) => {
  const root = scratch(t);
  writeFileSync(join(root, "nginx-core.list"), "/.\n/usr\n/usr/sbin/nginx\n");
  writeFileSync(join(root, "libc6:amd64.list"), "/.\n/lib/x\n");
  writeFileSync(join(root, "nginx.md5sums"), "/usr/sbin/other\n");
  assert.equal(await byDpkg("/usr/sbin/nginx", root), "nginx-core");
  assert.equal(await byDpkg("/usr/lib/x", root), "libc6");
  for (const path of ["/usr/sbin/ngin", "/sbin/nginx", "/usr/sbin/other"])
    assert.equal(await byDpkg(path, root), "");
  if (existsSync("/var/lib/dpkg/info/bash.list")) assert.equal(await packageOf("/usr/bin/bash"), "bash");
  assert.equal(await packageOf(""), "");
});

test("counts the journal with its limit, by the last word of its configuration", async (t) => {
  const root = scratch(t);
  const machine = join(root, "journal/0123456789abcdef0123456789abcdef");
  mkdirSync(machine, { recursive: true });
  writeFileSync(join(machine, "system.journal"), "x".repeat(10_000));
  writeFileSync(join(root, "not.journal"), "x");
  const [use, ...others] = journalUses((await filesUnder([root])).files);
  assert.deepEqual([use!.directory, others.length], [join(root, "journal"), 0]);
  assert.ok(use!.usedBytes >= 10_000 && use!.limitBytes > 0);
  assert.equal(systemMaxUse(["[Journal]\n#SystemMaxUse=1G\n", "SystemMaxUse=200M\n"]), 200 * 1024 ** 2);
  assert.equal(systemMaxUse(["SystemMaxUse=4096\n", "SystemMaxUse=\n"]), null);
  assert.equal(systemMaxUse([]), null);
});

test("has journalctl shrink the journal, and takes only a size or an age", async (t) => {
  assert.equal(vacuumOption("500M"), "--vacuum-size=500M");
  assert.equal(vacuumOption("2weeks"), "--vacuum-time=2weeks");
  assert.equal(vacuumOption("30 days"), "--vacuum-time=30days");
  for (const text of ["", "-1", "500M --rotate", "all", "../x"]) assert.equal(vacuumOption(text), null, text);
  const root = scratch(t);
  const program = join(root, "journalctl");
  writeFileSync(program, '#!/bin/sh\necho "Vacuuming done, freed 8.0M with $1" >&2\n');
  chmodSync(program, 0o755);
  assert.match(await vacuumJournal("--vacuum-size=1M", program), /freed 8\.0M with --vacuum-size=1M/);
  await assert.rejects(vacuumJournal("--vacuum-size=1M", join(root, "none")), /journalctl is not here/);
});

test("looks at a file system once, whatever paths lie on it, and calls it by its mount point", async (t) => {
  const root = scratch(t);
  mkdirSync(join(root, "a"));
  const rooms = await lookAtRooms([root, join(root, "a"), "/no/such/path", "/proc"]);
  assert.equal(rooms.length, 2);
  const [room, proc] = rooms;
  assert.equal(statSync(room!.mount).dev, statSync(root).dev);
  assert.ok(room!.sizeBytes > 0 && room!.freeBytes >= 0 && room!.freeBytes <= room!.sizeBytes);
  assert.equal(proc!.mount, "/proc");
});

test("reads whole lines from an offset on, follows no link, and at most a quarter of a megabyte", (t) => {
  const root = scratch(t);
  const path = join(root, "a.log");
  writeFileSync(path, "old\nnew one\nnew two\nunended");
  assert.deepEqual(newestLines(path, 4), ["new one", "new two"]);
  symlinkSync(path, join(root, "link"));
  assert.deepEqual(
    [newestLines(join(root, "link"), 0), newestLines(join(root, "none"), 0), newestLines(root, 0)],
    [[], [], []],
  );
  writeFileSync(path, `${"x".repeat(99)}\n`.repeat(10_000));
  const lines = newestLines(path, 0);
  assert.ok(lines.length > 2_000 && lines.length < 2_700);
  assert.ok(lines.every((line) => line.length === 99));
});

test("keeps a reserve and gives it back; a link in its place is left alone", (t) => {
  const root = scratch(t);
  assert.equal(releaseReserve(root), 0);
  assert.equal(keepReserve(root, 3_000_000), true);
  assert.equal(statSync(join(root, RESERVE_NAME)).size, 3_000_000);
  assert.equal(statSync(join(root, RESERVE_NAME)).mode & 0o777, 0o600);
  assert.ok(releaseReserve(root) >= 3_000_000);
  assert.equal(existsSync(join(root, RESERVE_NAME)), false);
  writeFileSync(join(root, "victim"), "x");
  symlinkSync(join(root, "victim"), join(root, RESERVE_NAME));
  keepReserve(root, 10);
  assert.equal(releaseReserve(root), 0);
  assert.equal(statSync(join(root, "victim")).size, 1);
  assert.equal(keepReserve(join(root, "none"), 10), false);
});
