import assert from "node:assert/strict";
import test from "node:test";
import { EVENT_SCHEMA_VERSION, type Event, type EventBody } from "../core/events.ts";
import { openStore } from "../store/store.ts";
import { disksForReport, growingLogs, samplesOf } from "./disk-samples.ts";

const START = Date.parse("2026-01-01T00:00:00Z");
const GB = 1_000_000_000;

const stamped = (body: EventBody, hours: number): Event => ({
  ...body,
  v: EVENT_SCHEMA_VERSION,
  id: `${body.type}-${hours}`,
  host: "web1",
  at: new Date(START + hours * 3_600_000).toISOString(),
});

test("reads the samples of the last two weeks out of months of history", () => {
  using store = openStore(":memory:");
  assert.deepEqual(samplesOf(store), []);
  const events: Event[] = [];
  for (let hours = 0; hours < 40 * 24; hours++) {
    const disk = {
      mount: "/",
      sizeBytes: 100 * GB,
      freeBytes: 60 * GB - hours * 1e6,
      sizeFiles: 0,
      freeFiles: 0,
    };
    const log = {
      path: "/var/log/app.log",
      sizeBytes: (hours % 24) * 1_000_000,
      ino: Math.floor(hours / 24),
    };
    events.push(stamped({ type: "disk.sampled", disks: [disk], logs: [log] }, hours));
    events.push(stamped({ type: "guard.stopped", because: "noise" }, hours));
  }
  store.appendAll(events);
  const samples = samplesOf(store);
  assert.equal(samples.length, 14 * 24 + 1);
  assert.equal(samples.at(-1)!.at, events.at(-1)!.at);
  const [disk] = disksForReport(samples);
  assert.equal(Math.round(disk!.bytesPerDay! / 1e6), 24);
  // What was written between the last look and a rotation is not seen: the figure is what was written at least.
  const [log] = growingLogs(samples, 10);
  assert.ok(log!.bytesPerDay > 21e6 && log!.bytesPerDay <= 24e6, `${log!.bytesPerDay}`);
});
