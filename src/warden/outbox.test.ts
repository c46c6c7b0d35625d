// What happens while nobody listens is told later, in order, once, and as much of it as memory allows.
import assert from "node:assert/strict";
import test from "node:test";
import type { Event } from "../core/events.ts";
import { waitBeforeStart } from "./backoff/decide.ts";
import { Lines } from "./lines.ts";
import { Outbox } from "./outbox.ts";

const event = (because: string): Event => ({
  v: 1,
  id: because,
  host: "h",
  at: "2026-11-22T12:00:00.000Z",
  type: "guard.stopped",
  because,
});
const saidBy = (outbox: Outbox) =>
  outbox.due().map(({ event: each }) => (each.type === "guard.stopped" ? each.because : ""));

test("each event is said once, and again to a new listener unless it was stored", () => {
  const outbox = new Outbox();
  for (const name of ["a", "b", "c"]) outbox.put(event(name));
  assert.deepEqual(saidBy(outbox), ["a", "b", "c"]);
  assert.deepEqual(saidBy(outbox), []);
  outbox.stored(2);
  outbox.put(event("d"));
  assert.deepEqual(saidBy(outbox), ["d"]);
  outbox.again();
  assert.deepEqual(saidBy(outbox), ["c", "d"]);
  outbox.stored(4);
  assert.equal(outbox.waiting, 0);
});

test("more than is remembered is counted as lost, the oldest first", () => {
  const outbox = new Outbox(2);
  for (const name of ["a", "b", "c", "d"]) outbox.put(event(name));
  assert.equal(outbox.takeLost(), 2);
  assert.equal(outbox.takeLost(), 0);
  assert.deepEqual(saidBy(outbox), ["c", "d"]);
});

test("no more is said at once than a listener is likely to store", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 1_000; i++) outbox.put(event(String(i)));
  const heard: string[] = [];
  for (let n = 0; heard.length < 1_000; ) {
    const said = saidBy(outbox);
    assert.ok(said.length > 0 && said.length <= 256);
    heard.push(...said);
    n += said.length;
    outbox.stored(n);
  }
  assert.deepEqual(
    heard,
    Array.from({ length: 1_000 }, (_, i) => String(i)),
  );
});

test("a listener that keeps ending is started less and less often, one that ran well at once", () => {
  const waits: number[] = [];
  for (let i = 0, wait = 0; i < 9; i++) waits.push((wait = waitBeforeStart(wait, 100)));
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  assert.equal(waitBeforeStart(60_000, 61_000), 1_000);
});

test("lines come whole however the bytes arrive, and one that is too long ends the reading", () => {
  const text = Buffer.from("ä one\n\ntwo € two\nthree");
  for (let size = 1; size <= text.length; size++) {
    const lines: string[] = [];
    const reader = new Lines({ maxBytes: 100, onLine: (line) => lines.push(line), onTooLong: assert.fail });
    for (let at = 0; at < text.length; at += size) reader.write(text.subarray(at, at + size));
    assert.deepEqual(lines, ["ä one", "", "two € two"], `pieces of ${size} bytes`);
  }
  let over = 0;
  const lines: string[] = [];
  const reader = new Lines({ maxBytes: 8, onLine: (line) => lines.push(line), onTooLong: () => void over++ });
  for (const piece of ["short\n", "much too", " long\n", "later\n"]) reader.write(Buffer.from(piece));
  assert.deepEqual(lines, ["short"]);
  assert.equal(over, 1);
});
