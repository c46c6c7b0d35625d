import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { parseAddress } from "../core/address.ts";
import { MissingPartError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import { AT, blockRow, lineEvent, scratch, stamped } from "./rig.ts";
import { openStore } from "./store.ts";

test("creates a private folder and a private file", (t) => {
  const dir = join(scratch(t), "lib", "telltale");
  using store = openStore(join(dir, "history.db"));
  store.append(lineEvent("x"));
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  for (const name of readdirSync(dir)) assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
});

test("hands events out in order of arrival, after a seq, by type, within a limit, across reopening", (t) => {
  const path = join(scratch(t), "history.db");
  const events = [
    lineEvent("one"),
    stamped({ type: "packets.lost", count: 3, where: "ring" }),
    lineEvent("two"),
  ];
  {
    using store = openStore(path);
    assert.equal(store.lastSeq(), 0);
    store.appendAll(events);
    assert.equal(store.lastSeq(), 3);
  }
  using store = openStore(path);
  assert.deepEqual(
    store.eventsSince(0).map(({ event }) => event),
    events,
  );
  assert.deepEqual(
    store.eventsSince(0, { types: ["line.found"] }).map(({ seq }) => seq),
    [1, 3],
  );
  assert.deepEqual(
    store.eventsSince(1, { limit: 1 }).map(({ seq }) => seq),
    [2],
  );
  assert.deepEqual(store.event(events[2]!.id)?.event, events[2]);
  assert.equal(store.event("nobody"), null);
});

test("appending the same event twice is appending it once", (t) => {
  using store = openStore(join(scratch(t), "history.db"));
  const event = lineEvent("once");
  store.append(event);
  store.append(event);
  assert.equal(store.eventsSince(0).length, 1);
  // Many are written by few statements: what is known among them costs no other its place.
  const many = Array.from({ length: 21 }, (_, n) => lineEvent(`line ${n}`));
  store.appendAll(many.slice(3, 12));
  store.appendAll([...many, event, many[0]!]);
  const lines = store.eventsSince(0).map(({ event: each }) => (each.type === "line.found" ? each.line : ""));
  const order = [...many.slice(3, 12), ...many.slice(0, 3), ...many.slice(12)];
  assert.deepEqual(lines, ["once", ...order.map((each) => (each.type === "line.found" ? each.line : ""))]);
});

test("tells the whole trail of an address: scan, verdict, and a block of a prefix around it", (t) => {
  using store = openStore(join(scratch(t), "history.db"));
  const source = parseAddress("2001:db8::7")!;
  const scan = {
    source,
    shape: "vertical",
    grade: "proven",
    firstAt: AT.toISOString(),
    lastAt: AT.toISOString(),
    distinct: 4,
    reason: "4 of 4",
    probes: [],
  } as const;
  const found = stamped({ type: "scan.detected", scan });
  const applied = stamped({
    type: "block.applied",
    target: "2001:db8::/64",
    until: AT.toISOString(),
    because: "scan",
    findingId: found.id,
  });
  const other = stamped({ type: "block.lifted", target: "192.0.2.1", cause: "expired", packetsStopped: 0 });
  store.appendAll([found, applied, other]);
  assert.deepEqual(store.eventsAbout("2001:db8::7"), [found, applied]);
  assert.deepEqual(store.eventsAbout("2001:db8::7", 1), [applied]);
  assert.deepEqual(store.eventsAbout("192.0.2.1"), [other]);
  assert.deepEqual(store.eventsAbout("192.0.2.2"), []);
});

test("a transaction that throws leaves nothing, one inside another is undone alone", (t) => {
  using store = openStore(join(scratch(t), "history.db"));
  assert.throws(
    () =>
      store.transaction(() => {
        store.append(lineEvent("gone"));
        store.cursors.set("/var/log/syslog", { offset: 9 });
        throw new Error("no");
      }),
    /^Error: no$/,
  );
  assert.equal(store.lastSeq(), 0);
  assert.equal(store.cursors.get("/var/log/syslog"), null);

  store.transaction(() => {
    store.append(lineEvent("stays"));
    assert.throws(() =>
      store.transaction(() => {
        store.append(lineEvent("goes"));
        throw new Error("inner");
      }),
    );
  });
  assert.deepEqual(
    store.eventsSince(0).map(({ event }) => (event.type === "line.found" ? event.line : "")),
    ["stays"],
  );
  assert.throws(() => store.transaction(async () => 1), /must not be async/);
});

test("keeps cursors and marks by name", (t) => {
  using store = openStore(join(scratch(t), "history.db"));
  store.cursors.set("journal", { cursor: "s=1" });
  store.cursors.set("journal", { cursor: "s=2" });
  store.cursors.set("/var/log/a", { offset: 1 });
  assert.deepEqual(store.cursors.get("journal"), { cursor: "s=2" });
  assert.deepEqual(store.cursors.sources(), ["/var/log/a", "journal"]);
  store.cursors.remove("journal");
  assert.equal(store.cursors.get("journal"), null);
  store.marks.set("reported", "41");
  store.marks.set("reported", "42");
  assert.equal(store.marks.get("reported"), "42");
  assert.equal(store.marks.get("never"), null);
});

test("a block is in force until it runs out or is lifted; repeats are counted, renewals are not", (t) => {
  using store = openStore(join(scratch(t), "history.db"));
  const { blocks } = store;
  const at = (clock: string) => `2026-11-22T${clock}:00.000Z`;
  blocks.put(blockRow("192.0.2.7", at("10:00"), at("10:10")));
  blocks.put(blockRow("192.0.2.7", at("10:05"), at("10:30"), { packetsStopped: 5, because: "again" }));
  assert.deepEqual(blocks.inForce(new Date(at("10:20"))), [
    blockRow("192.0.2.7", at("10:00"), at("10:30"), { packetsStopped: 5, because: "again" }),
  ]);
  assert.deepEqual(blocks.inForce(new Date(at("10:30"))), []);

  blocks.put(blockRow("192.0.2.7", at("11:00"), at("12:00")));
  assert.equal(blocks.times("192.0.2.7", Date.parse(at("10:00"))), 2);
  assert.equal(blocks.times("192.0.2.7", Date.parse(at("10:30"))), 1);
  assert.equal(blocks.lift("192.0.2.7", new Date(at("11:30")), "administrator", 17), true);
  assert.equal(blocks.lift("192.0.2.7", new Date(at("11:30")), "administrator"), false);
  assert.deepEqual(
    blocks
      .history("192.0.2.7")
      .map(({ cause, liftedAt, packetsStopped }) => [cause, liftedAt, packetsStopped]),
    [
      ["administrator", at("11:30"), 17],
      ["expired", at("10:30"), 5],
    ],
  );
});

test("a listing shows those in force page by page, oldest first, with how often each was blocked", (t) => {
  using store = openStore(join(scratch(t), "history.db"));
  const { blocks } = store;
  const at = (minute: number) => new Date(AT.getTime() + minute * 60_000).toISOString();
  blocks.put(blockRow("192.0.2.9", at(1), at(30)));
  blocks.put(blockRow("2001:db8::/64", at(0), at(30), { throttled: true, packetsStopped: 3 }));
  blocks.put(blockRow("192.0.2.8", at(2), at(3)));
  blocks.put(blockRow("192.0.2.7", at(-90), at(-80)));
  blocks.put(blockRow("192.0.2.7", at(2), at(30)));
  const { numbers, longestTarget } = blocks.listing(new Date(at(4)));
  assert.equal(longestTarget, "2001:db8::/64".length);
  assert.equal(numbers.length, 3);
  assert.deepEqual(blocks.listed(numbers, Date.parse(at(-60))), [
    { ...blockRow("2001:db8::/64", at(0), at(30), { throttled: true, packetsStopped: 3 }), times: 1 },
    { ...blockRow("192.0.2.9", at(1), at(30)), times: 1 },
    { ...blockRow("192.0.2.7", at(2), at(30)), times: 1 },
  ]);
  assert.equal(blocks.listed(numbers.slice(2), Date.parse(at(-100)))[0]?.times, 2);
  assert.deepEqual(
    blocks.overdueAfter(new Date(at(4)), "", 10),
    ["192.0.2.8"],
    "ran out, and nobody ended it",
  );
  assert.deepEqual(blocks.overdueAfter(new Date(at(4)), "192.0.2.8", 10), []);
  blocks.lift("192.0.2.9", new Date(at(5)), "administrator");
  assert.equal(blocks.listed(numbers, 0).length, 2, "lifted since the listing was made");
  assert.deepEqual(blocks.listed([], 0), []);
});

test("a reader sees what the guard committed while the guard holds the file, and cannot write", (t) => {
  const path = join(scratch(t), "history.db");
  using guard = openStore(path);
  guard.append(lineEvent("first"));
  using reader = openStore(path, { readOnly: true });
  assert.equal(reader.lastSeq(), 1);
  guard.transaction(() => {
    guard.append(lineEvent("second"));
    assert.equal(reader.lastSeq(), 1, "not yet committed");
  });
  assert.equal(reader.lastSeq(), 2);
  assert.throws(() => reader.append(lineEvent("third")), MissingPartError);
});

test("a reader of a history that nobody began says so", (t) => {
  assert.throws(
    () => openStore(join(scratch(t), "history.db"), { readOnly: true }),
    (error) => error instanceof MissingPartError && /no history yet/.test(error.message),
  );
});

test("a file of a newer telltale is left alone", (t) => {
  const path = join(scratch(t), "history.db");
  openStore(path).close();
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 999");
  database.close();
  assert.throws(() => openStore(path), /version 999/);
  assert.throws(() => openStore(path, { readOnly: true }), /version 999/);
  assert.ok(!readdirSync(join(path, "..")).some((name) => name.includes("damaged")));
});

test("a link in the place of the history is refused", (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, "victim"), "do not touch");
  symlinkSync(join(dir, "victim"), join(dir, "history.db"));
  assert.throws(() => openStore(join(dir, "history.db")), /not a regular file/);
  assert.equal(readFileSync(join(dir, "victim"), "utf8"), "do not touch");
});

test("a place that cannot be written is named with its mend", () => {
  assert.throws(
    () => openStore("/proc/telltale/history.db"),
    (error) => error instanceof MissingPartError && error.part === "store" && error.mend !== "",
  );
});

test("a history in memory leaves no file", (t) => {
  const before = readdirSync(".");
  const dir = scratch(t);
  using store = openStore(":memory:");
  store.append(lineEvent("x"));
  assert.equal(store.lastSeq(), 1);
  assert.deepEqual([readdirSync("."), readdirSync(dir)], [before, []]);
});

test("a flood of one kind of event drops its own oldest, never the few of another kind", async (t) => {
  const notices: EventBody[] = [];
  using store = openStore(join(scratch(t), "history.db"), {
    maxEvents: 3_000,
    onNotice: (notice) => {
      notices.push(notice);
      store.append(stamped(notice));
    },
  });
  store.append(stamped({ type: "block.lifted", target: "192.0.2.7", cause: "expired", packetsStopped: 1 }));
  for (let round = 0; round < 5; round++) {
    store.appendAll(Array.from({ length: 2_048 }, (_, i) => lineEvent(`noise ${round} ${i}`)));
  }
  const events = store.eventsSince(0, { limit: 100_000 });
  assert.ok(events.length <= 3_000 + 2_048, `${events.length} events`);
  assert.equal(events[0]?.event.type, "block.lifted");
  assert.equal(events.at(-1)?.seq, store.lastSeq());
  await Promise.resolve();
  const [notice, ...more] = notices;
  assert.ok(notice?.type === "part.failed" && /dropped/.test(notice.why));
  assert.deepEqual(more, [], "told once a day");
  store.appendAll(Array.from({ length: 100 }, (_, i) => lineEvent(`last ${i}`)));
  assert.equal(store.purge(AT), 101);
  assert.equal(store.eventsSince(0, { limit: 100_000 }).length, 3_000);
});

test("long lines are bounded by size, and the room goes back to the file system", (t) => {
  const path = join(scratch(t), "history.db");
  using store = openStore(path, { maxBytes: 1_000_000 });
  for (let i = 0; i < 300; i++) store.append(lineEvent("y".repeat(20_000)));
  assert.ok(store.purge(AT) > 200);
  store.settle();
  assert.ok(statSync(path).size < 3_000_000, `${statSync(path).size} bytes`);
});

test("purging by age spares the newest events even when the clock jumps a century", (t) => {
  using store = openStore(join(scratch(t), "history.db"));
  store.appendAll(Array.from({ length: 10_500 }, (_, i) => lineEvent(`line ${i}`)));
  store.blocks.put(blockRow("192.0.2.7", AT.toISOString(), "2199-01-01T00:00:00.000Z"));
  assert.equal(store.purge(new Date("2126-01-01T00:00:00Z")), 500);
  assert.equal(store.eventsSince(0, { limit: 100_000 }).length, 10_000);
  assert.equal(store.blocks.inForce(AT).length, 1, "a block in force is not history");
});

test("of past blocks the oldest go, by age and by count; those in force stay whatever their age", (t) => {
  using store = openStore(join(scratch(t), "history.db"), { maxPastBlocks: 700, maxAgeMs: 86_400_000 });
  const { blocks } = store;
  const at = (minute: number) => new Date(AT.getTime() + minute * 60_000);
  const put = (target: string, fromMinute: number, toMinute: number) =>
    blocks.put(blockRow(target, at(fromMinute).toISOString(), at(toMinute).toISOString()));
  const before = (target: string) => blocks.times(target, 0);
  store.transaction(() => {
    put("192.0.2.1", -3_000, 100_000);
    for (let n = 0; n < 600; n++) {
      put(`11.0.${n >> 8}.${n & 255}`, -2_900, -2_890);
      blocks.lift(`11.0.${n >> 8}.${n & 255}`, at(-2_890), "expired");
    }
    for (let n = 0; n < 600; n++) {
      put(`12.0.${n >> 8}.${n & 255}`, -60, -50);
      blocks.lift(`12.0.${n >> 8}.${n & 255}`, at(-50), "expired");
    }
  });
  store.purge(at(0));
  assert.equal(before("11.0.0.0") + before("11.0.2.87"), 0, "older than a day");
  assert.equal(before("12.0.0.0"), 1);
  store.transaction(() => {
    for (let n = 0; n < 600; n++) {
      put(`13.0.${n >> 8}.${n & 255}`, -40, -30);
      blocks.lift(`13.0.${n >> 8}.${n & 255}`, at(-30), "expired");
    }
  });
  store.purge(at(0));
  const kept = (first: number) =>
    Array.from({ length: 600 }, (_, n) => before(`${first}.0.${n >> 8}.${n & 255}`)).reduce((a, b) => a + b);
  assert.deepEqual([kept(12), kept(13)], [100, 600]);
  assert.equal(before("12.0.2.87"), 1, "the newest of them");
  assert.equal(blocks.countInForce(at(0)), 1);
});
