import assert from "node:assert/strict";
import test from "node:test";
import type { EventBody } from "../core/events.ts";
import { DiskAlarms } from "./disk-alarms.ts";

test("alarms once a day for a disk that is nearly full or will be, and not for others", () => {
  const said: string[] = [];
  let nowMs = 0;
  const clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs };
  const alarms = new DiskAlarms((body: EventBody) => {
    if (body.type === "disk.filling") said.push(`${body.mount}: ${body.why}`);
  }, clock);
  const disk = { mount: "/var", sizeBytes: 100e9, freeBytes: 50e9, sizeFiles: 0, freeFiles: 0 };
  alarms.judge(disk);
  alarms.judge({ ...disk, fullInMs: 3 * 86_400_000 });
  alarms.judge({ ...disk, mount: "/cdrom", sizeBytes: 0, freeBytes: 0 });
  assert.deepEqual(said, []);
  alarms.judge({ ...disk, freeBytes: 1e9 });
  alarms.judge({ ...disk, freeBytes: 1e9 });
  alarms.judge({ ...disk, mount: "/srv", fullInMs: 2 * 3_600_000 });
  assert.deepEqual(said, [
    "/var: 1.0 GB of 100.0 GB free",
    "/srv: 50.0 GB of 100.0 GB free, full in 2h if it goes on growing like this",
  ]);
  nowMs = 90_000_000;
  alarms.judge({ ...disk, freeBytes: 1e9 });
  assert.equal(said.length, 3);
});
