import assert from "node:assert/strict";
import test from "node:test";
import type { Event, EventBody } from "../../core/events.ts";
import { Today } from "./today.ts";

const NOON = new Date(2025, 5, 1, 12, 0, 0);
const HOUR_MS = 3_600_000;

const event = (at: Date, body: Partial<EventBody> & { type: EventBody["type"] }): Event =>
  ({ v: 1, id: "x", host: "h", at: at.toISOString(), ...body }) as Event;

const scan = (at: Date, source: string, distinct: number) =>
  event(at, { type: "scan.detected", scan: { source, distinct } } as never);

test("counts what happened since midnight, and begins anew at the next", () => {
  const today = new Today(NOON, new Date(0));
  today.observe(event(new Date(NOON.getTime() - 24 * HOUR_MS), { type: "line.found" }));
  today.observe(event(NOON, { type: "line.found" }));
  today.observe(event(NOON, { type: "log.rotated" }));
  today.observe(event(NOON, { type: "packets.lost", count: 7 } as never));
  const { linesFound, rotations, packetsLost, since } = today.read(NOON);
  assert.deepEqual([linesFound, rotations, packetsLost], [1, 1, 7]);
  assert.equal(since, new Date(2025, 5, 1).toISOString());
  const next = today.read(new Date(2025, 5, 2, 0, 0, 1));
  assert.deepEqual([next.linesFound, next.since], [0, new Date(2025, 5, 2).toISOString()]);
});

test("a scan that is told again counts only what came since", () => {
  const today = new Today(NOON);
  for (const distinct of [4, 64, 64, 1024]) today.observe(scan(NOON, "192.0.2.1", distinct));
  today.observe(scan(NOON, "192.0.2.2", 4));
  const { scans, probes } = today.read(NOON);
  assert.deepEqual([scans, probes], [5, 1028]);
  // The same source, forgotten by the sentry and seen again.
  today.observe(scan(NOON, "192.0.2.1", 4));
  assert.equal(today.read(NOON).probes, 1032);
});

test("any number of sources costs a bounded piece of memory", () => {
  const today = new Today(NOON);
  for (let i = 0; i < 50_000; i++) today.observe(scan(NOON, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1));
  assert.equal(today.read(NOON).probes, 50_000);
});

test("a clock that is set back by days begins the day again, one by an hour does not", () => {
  const today = new Today(new Date(2025, 5, 2, 0, 10, 0));
  today.observe(event(new Date(2025, 5, 2, 0, 10, 0), { type: "line.found" }));
  assert.equal(today.read(new Date(2025, 5, 1, 23, 50, 0)).linesFound, 1);
  assert.equal(today.read(new Date(2025, 4, 1, 12, 0, 0)).linesFound, 0);
});
