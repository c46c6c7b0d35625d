// Files that are not, or no longer, a history: the guard starts all the same, keeps what it can and says so.
import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { AT, blockRow, lineEvent, scratch } from "./rig.ts";
import { openStore, StoreDamagedError } from "./store.ts";

test("a file that is no database is set aside, a new history begun, and both said", (t) => {
  const dir = scratch(t);
  const path = join(dir, "history.db");
  writeFileSync(path, "this was never a database".repeat(100));
  using store = openStore(path, { clock: { now: () => AT, monotonicMs: () => 0 } });
  store.append(lineEvent("new"));
  assert.equal(store.lastSeq(), 1);
  assert.ok(existsSync(`${path}.damaged-20261122T195102`));
  const [notice] = store.notices;
  assert.ok(notice?.type === "part.failed" && notice.part === "store" && /damaged/.test(notice.why));
});

test("a history with damaged pages keeps its blocks and cursors in the new one", (t) => {
  const path = join(scratch(t), "history.db");
  {
    using store = openStore(path);
    store.blocks.put(blockRow("192.0.2.7", AT.toISOString(), "2099-01-01T00:00:00.000Z"));
    store.cursors.set("/var/log/syslog", { offset: 7 });
    for (let i = 0; i < 500; i++) store.append(lineEvent(`line ${i} ${"x".repeat(300)}`));
  }
  // The newest pages hold events; the oldest the schema and the small tables.
  const file = openSync(path, "r+");
  const size = statSync(path).size;
  writeSync(file, Buffer.alloc(16_384, 0xff), 0, 16_384, size - 65_536);
  closeSync(file);
  using store = openStore(path);
  assert.equal(store.notices.length, 1);
  assert.equal(store.lastSeq(), 0);
  assert.equal(store.blocks.inForce(AT).length, 1);
  assert.deepEqual(store.cursors.get("/var/log/syslog"), { offset: 7 });
});

test("a history that was cut short is set aside", (t) => {
  const path = join(scratch(t), "history.db");
  {
    using store = openStore(path);
    for (let i = 0; i < 500; i++) store.append(lineEvent(`line ${i} ${"x".repeat(300)}`));
  }
  truncateSync(path, 8_192);
  using store = openStore(path);
  assert.equal(store.notices[0]?.type, "part.failed");
  store.append(lineEvent("alive"));
  assert.equal(store.lastSeq(), 1);
});

test("damage met while running is named as such, and the next start looks at the whole file", (t) => {
  const path = join(scratch(t), "history.db");
  {
    // More than SQLite keeps in memory.
    using store = openStore(path);
    store.appendAll(Array.from({ length: 8_000 }, (_, i) => lineEvent(`line ${i} ${"x".repeat(600)}`)));
    store.settle();
    const file = openSync(path, "r+");
    for (let page = 30; page < 60; page++) writeSync(file, Buffer.alloc(4_096, 0xff), 0, 4_096, page * 4_096);
    closeSync(file);
    assert.throws(() => store.eventsSince(0, { limit: 10_000 }), StoreDamagedError);
    assert.ok(existsSync(`${path}-suspect`));
  }
  using store = openStore(path);
  assert.equal(store.notices.length, 1);
  assert.ok(!existsSync(`${path}-suspect`));
});
