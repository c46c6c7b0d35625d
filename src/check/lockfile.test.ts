// The lock is shared with the real logcheck, so the real lockfile-create judges it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { LockBusyError, takeLock } from "./lockfile.ts";

function scratch(t: test.TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-lock-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("only one holds it, and it is gone afterwards", (t) => {
  const name = join(scratch(t), "made", "logcheck");
  {
    using _lock = takeLock(name);
    assert.throws(() => takeLock(name), LockBusyError);
  }
  assert.equal(existsSync(`${name}.lock`), false);
  takeLock(name)[Symbol.dispose]();
});

test("a lock that nobody touched for five minutes is taken over", (t) => {
  const name = join(scratch(t), "logcheck");
  writeFileSync(`${name}.lock`, "0\n");
  const minutesAgo = (minutes: number) => Date.now() / 1000 - minutes * 60;
  utimesSync(`${name}.lock`, minutesAgo(4), minutesAgo(4));
  assert.throws(() => takeLock(name), LockBusyError);
  utimesSync(`${name}.lock`, minutesAgo(6), minutesAgo(6));
  takeLock(name)[Symbol.dispose]();
});

test("the lock of a run that was killed is taken over at once", (t) => {
  const name = join(scratch(t), "logcheck");
  const dead = spawnSync("true").pid;
  writeFileSync(`${name}.lock`, `${dead}\n`);
  takeLock(name)[Symbol.dispose]();
  writeFileSync(`${name}.lock`, `${process.pid}\n`);
  assert.throws(() => takeLock(name), LockBusyError);
});

test("lockfile-create and we keep each other out", (t) => {
  if (!existsSync("/usr/bin/lockfile-create"))
    return t.skip("needs lockfile-create: apt install lockfile-progs");
  const name = join(scratch(t), "logcheck");
  const create = () => spawnSync("lockfile-create", ["--retry", "0", name]).status;
  {
    using _lock = takeLock(name);
    assert.notEqual(create(), 0);
  }
  assert.equal(create(), 0);
  assert.throws(() => takeLock(name), LockBusyError);
});
