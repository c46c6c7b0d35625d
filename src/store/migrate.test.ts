// A history that an earlier version has written: taken over whole, and at once however long it is.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { parseAddress } from "../core/address.ts";
import type { Event } from "../core/events.ts";
import { BEGIN } from "./migrations/0001-begin.ts";
import { THROTTLED } from "./migrations/0002-throttled.ts";
import { AT, blockRow, lineEvent, scratch, stamped } from "./rig.ts";
import { openStore } from "./store.ts";

const SOURCE = parseAddress("2001:db8::7")!;

/** A history as the version before `about` wrote it. */
function secondVersion(path: string, events: readonly (readonly [Event, ...string[]])[]): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
  database.exec(`${BEGIN}${THROTTLED}PRAGMA user_version = 2;`);
  const put = database.prepare("INSERT INTO events (id, at, type, bytes, json) VALUES (?, ?, ?, ?, ?)");
  const mention = database.prepare("INSERT INTO mentions (address, seq) VALUES (?, ?)");
  database.exec("BEGIN");
  for (const [event, ...addresses] of events) {
    const json = JSON.stringify(event);
    const { lastInsertRowid } = put.run(event.id, Date.parse(event.at), event.type, json.length, json);
    for (const address of addresses) mention.run(address, lastInsertRowid);
  }
  const { target, since, until, because, grade, findingId } = blockRow(
    "192.0.2.7",
    AT.toISOString(),
    "2099-01-01T00:00:00.000Z",
  );
  database
    .prepare(
      `INSERT INTO blocks (target, since, until, because, grade, finding_id, packets_stopped, throttled)
       VALUES (?, ?, ?, ?, ?, ?, 5, 1)`,
    )
    .run(target, since, until, because, grade, findingId);
  database.exec(`COMMIT; INSERT INTO marks VALUES ('reported', '41')`);
  database.close();
}

test("a history of the version before keeps events, trails, blocks and marks, and goes on", (t) => {
  const path = join(scratch(t), "history.db");
  const lifted = (target: string) =>
    stamped({ type: "block.lifted", target, cause: "expired", packetsStopped: 0 });
  const verdict = stamped({
    type: "verdict.reached",
    verdict: {
      source: SOURCE,
      target: "2001:db8::/64",
      action: "block",
      forMs: 1,
      mode: "block",
      because: "a scan",
      findingId: "f",
    },
  });
  const old = lifted("2001:db8::/64");
  const line = lineEvent("line");
  secondVersion(path, [[verdict, SOURCE, "2001:db8::/64"], [old, "2001:db8::/64"], [line]]);

  using store = openStore(path);
  assert.deepEqual(store.notices, []);
  assert.deepEqual(
    store.eventsSince(0).map(({ event }) => event),
    [verdict, old, line],
  );
  assert.deepEqual(store.blocks.inForce(AT), [
    blockRow("192.0.2.7", AT.toISOString(), "2099-01-01T00:00:00.000Z", {
      packetsStopped: 5,
      throttled: true,
    }),
  ]);
  assert.equal(store.marks.get("reported"), "41");

  const later = { ...verdict, id: lineEvent("").id };
  const now = lifted(SOURCE);
  store.appendAll([old, later, now]);
  assert.deepEqual(store.eventsAbout(SOURCE), [verdict, old, later, now], "old and new, each once");
  assert.deepEqual(store.eventsAbout(SOURCE, 2), [later, now]);
  assert.deepEqual(store.eventsAbout("2001:db8::/64"), [verdict, old, later]);
});

test("what an earlier version has written is dropped with what names it", (t) => {
  const path = join(scratch(t), "history.db");
  const events = Array.from({ length: 40 }, (_, n) =>
    stamped({ type: "block.lifted", target: `192.0.2.${n}`, cause: "expired", packetsStopped: 0 }),
  );
  secondVersion(
    path,
    events.map((event, n) => [event, `192.0.2.${n}`]),
  );
  {
    using store = openStore(path, { maxEvents: 10 });
    store.purge(AT);
    assert.deepEqual(store.eventsAbout("192.0.2.29"), []);
    assert.deepEqual(store.eventsAbout("192.0.2.30"), [events[30]]);
  }
  const database = new DatabaseSync(path, { readOnly: true });
  assert.equal(database.prepare("SELECT count(*) AS n FROM mentions").get()?.["n"], 10);
  database.close();
});

test("a long history is taken over without being rewritten", (t) => {
  const path = join(scratch(t), "history.db");
  const line = `line ${"x".repeat(400)}`;
  secondVersion(
    path,
    Array.from({ length: 20_000 }, () => [lineEvent(line)]),
  );
  const pages = (): number => {
    const database = new DatabaseSync(path, { readOnly: true });
    const count = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
    database.close();
    return count;
  };
  const before = pages();
  using store = openStore(path);
  assert.equal(store.eventsSince(0, { limit: 100_000 }).length, 20_000);
  const log = statSync(`${path}-wal`).size;
  assert.ok(log < 200_000, `${log} bytes were written to a history of ${before} pages`);
  assert.ok(pages() - before < 10, `${pages()} pages after ${before}`);
});

test("whoever only reads takes it over too: no guard was started since the program was renewed", (t) => {
  const path = join(scratch(t), "history.db");
  secondVersion(path, []);
  const store = openStore(path, { readOnly: true });
  assert.deepEqual(
    store.blocks.inForce(AT).map(({ target }) => target),
    ["192.0.2.7"],
  );
  store.close();
});
