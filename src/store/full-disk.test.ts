// A disk that fills under the store, for real: a small tmpfs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import type { Event } from "../core/events.ts";
import { newId } from "../core/id.ts";
import { openStore, type Store, StoreFullError } from "./store.ts";

/** A folder of that size, or null when this machine does not let us have one. */
function smallDisk(t: TestContext, size: string): string | null {
  const dir = mkdtempSync(join(tmpdir(), "telltale-disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "telltale-test", dir]);
  t.after(() => {
    if (mounted.status === 0) spawnSync("umount", ["-l", dir]);
    rmSync(dir, { recursive: true, force: true });
  });
  return mounted.status === 0 ? dir : null;
}

function event(line: string): Event {
  const at = new Date();
  const body = { type: "line.found", layer: "system", source: "s", line } as const;
  return { ...body, v: 1, id: newId(at), host: "h", at: at.toISOString() };
}

/** Appends numbered events with their cursor until the disk is full; the number of the last that was committed. */
function fill(store: Store, from: number): number {
  for (let n = from; ; n++) {
    try {
      store.transaction(() => {
        store.append(event(`${n} ${"x".repeat(700)}`));
        store.cursors.set("s", { n });
      });
    } catch (error) {
      assert.ok(error instanceof StoreFullError, String(error));
      assert.match(error.mend, /free space/);
      return n - 1;
    }
  }
}

function lastNumber(store: Store): number {
  const { event: last } = store.eventsSince(0, { limit: 100_000 }).at(-1)!;
  return last.type === "line.found" ? Number.parseInt(last.line, 10) : -1;
}

test("on a full disk appending throws, reading goes on, and writing resumes when there is room", (t) => {
  const dir = smallDisk(t, "6m");
  if (dir === null) return t.skip("needs root: mounts a small tmpfs");
  const path = join(dir, "history.db");
  const ballast = join(dir, "ballast");
  writeFileSync(ballast, Buffer.alloc(3 * 1024 * 1024));
  let last: number;
  {
    using store = openStore(path);
    last = fill(store, 1);
    assert.ok(last > 10);
    assert.equal(fill(store, last + 1), last, "still full");
    assert.equal(lastNumber(store), last);
    assert.deepEqual(store.cursors.get("s"), { n: last }, "the refused cursor went with its finding");
    rmSync(ballast);
    const more = fill(store, last + 1);
    assert.ok(more > last + 100, `${more} after ${last}`);
    last = more;
  }
  using store = openStore(path);
  assert.deepEqual(store.notices, [], "nothing is damaged");
  assert.equal(lastNumber(store), last);
});

test("a history can be read, by the guard and by others, while the disk is full", (t) => {
  const dir = smallDisk(t, "6m");
  if (dir === null) return t.skip("needs root: mounts a small tmpfs");
  const path = join(dir, "history.db");
  using store = openStore(path);
  const last = fill(store, 1);
  assert.equal(lastNumber(store), last);
  using reader = openStore(path, { readOnly: true });
  assert.equal(lastNumber(reader), last);
});

test("a store that cannot be begun on a full disk says so", (t) => {
  const dir = smallDisk(t, "64k");
  if (dir === null) return t.skip("needs root: mounts a small tmpfs");
  const before = spawnSync("df", [dir]).status;
  assert.equal(before, 0);
  try {
    writeFileSync(join(dir, "ballast"), Buffer.alloc(1024 * 1024));
  } catch {
    // It fills the disk and fails, as meant.
  }
  assert.throws(() => openStore(join(dir, "history.db")), StoreFullError);
  assert.ok(readFileSync("/proc/mounts", "utf8").includes(dir));
});
