import assert from "node:assert/strict";
import test from "node:test";
import { EVENT_SCHEMA_VERSION, type Event } from "../core/events.ts";
import { openStore } from "../store/store.ts";
import { diskGauges } from "./disk-gauges.ts";

const disk = (mount: string, freeBytes: number) => ({
  mount,
  sizeBytes: 1_000,
  freeBytes,
  sizeFiles: 10,
  freeFiles: 5,
});

const sampled = (hours: number, free: number): Event => ({
  v: EVENT_SCHEMA_VERSION,
  id: `${hours}`,
  host: "web1",
  at: new Date(Date.parse("2026-01-01T00:00:00Z") + hours * 3_600_000).toISOString(),
  type: "disk.sampled",
  disks: [disk("/", free), disk("/gone", 1)],
  logs: [],
});

test("the room is what there is now; the outlook is reckoned anew once a minute", async () => {
  using store = openStore(":memory:");
  let nowMs = 0;
  const clock = { now: () => new Date(), monotonicMs: () => nowMs };
  const asked: string[][] = [];
  const gauges = diskGauges(store, clock, async (mounts) => {
    asked.push([...mounts]);
    return [{ ...disk("/", 123), dev: 1 }];
  });
  assert.deepEqual(await gauges(), []);
  store.appendAll([sampled(0, 900), sampled(24, 800)]);
  assert.deepEqual(await gauges(), [], "asked again within the minute");
  nowMs = 60_000;
  const found = await gauges();
  assert.deepEqual(asked.at(-1), ["/", "/gone"]);
  assert.deepEqual(
    found.map(({ mount, freeBytes }) => [mount, freeBytes]),
    [
      ["/", 123],
      ["/gone", 1],
    ],
  );
});
