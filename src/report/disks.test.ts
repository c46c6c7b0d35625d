import assert from "node:assert/strict";
import test from "node:test";
import type { Event, EventBody } from "../core/events.ts";
import { digest, empty } from "./digest.ts";
import { renderText } from "./render.ts";
import type { DiskOutlook } from "./types.ts";

const AT = "2026-11-22T00:00:00.000Z";
const GB = 1_000_000_000;
const DAY_MS = 86_400_000;

const base = {
  host: "web1",
  from: new Date(AT),
  to: new Date(AT),
  mode: "block",
  events: [] as Event[],
  blocksInForce: [],
} as const;

const calm: DiskOutlook = {
  mount: "/var",
  sizeBytes: 100 * GB,
  freeBytes: 50 * GB,
  sizeFiles: 1_000,
  freeFiles: 900,
  bytesPerDay: 0,
  fullInMs: null,
  fullEarliestMs: null,
  fullLatestMs: null,
  history: [1, 2, 3],
  worry: null,
  pressing: false,
};

const stamped = (body: EventBody): Event => ({ ...body, v: 1, id: "1", host: "web1", at: AT });

test("a calm disk is no news, and stands in the report all the same", () => {
  const made = digest({ ...base, disks: [calm] });
  assert.ok(empty(made));
  assert.match(made.sections[0]!.entries[0]!.lines[0]!, / \/var: 50 GB of 100 GB free \(50 %\)$/);
});

test("a disk that will not last the day is news of its own, with the range of the day it is full", () => {
  const disk: DiskOutlook = {
    ...calm,
    freeBytes: 4 * GB,
    bytesPerDay: 24 * GB,
    fullInMs: DAY_MS / 6,
    fullEarliestMs: DAY_MS / 8,
    fullLatestMs: null,
    worry: "little",
    pressing: true,
  };
  const made = digest({ ...base, disks: [calm, disk] });
  assert.ok(!empty(made));
  const [section] = made.sections;
  assert.equal(section!.title, "Disk outlook");
  assert.match(section!.entries[0]!.lines[0]!, /DISK \/var: 4\.0 GB of 100 GB free \(4 %\)$/);
  assert.deepEqual(section!.entries[0]!.notes, [
    "grows by 24 GB a day; if it goes on growing like this, it is full in 4h (between 3h and never)",
    "used over the last days ▁▅█",
  ]);
});

test("every file that was removed and every surge is in the report", () => {
  const events = [
    stamped({ type: "log.pruned", path: "/var/log/a.4.gz", sizeBytes: 5, because: "disk.min_free of /var" }),
    stamped({
      type: "log.surged",
      path: "/var/log/app.log",
      sizeBytes: 9,
      bytesPerDay: 50 * GB,
      usualBytesPerDay: GB,
      templates: [{ text: "error <n> \x1b[31m", count: 7 }],
    }),
    stamped({
      type: "log.mishandled",
      how: "deleted-open",
      path: "/var/log/gone.log",
      sizeBytes: 3 * GB,
      writer: "java (pid 7)",
      why: "deleted, and java (pid 7) still has it open",
      mend: "restart it",
    }),
  ];
  const made = digest({
    ...base,
    events,
    disks: [calm],
    growing: [{ path: "/var/log/app.log", bytesPerDay: GB, sizeBytes: 9 }],
  });
  assert.ok(!empty(made));
  const text = renderText(made, { width: 200 });
  for (const line of [
    /SURGE \/var\/log\/app\.log grows by 50 GB a day, 50 times its habit\n {4}7 lines like: error <n> \\x1b\[31m/,
    /REMOVED \/var\/log\/a\.4\.gz \(5 bytes\): disk\.min_free of \/var/,
    /Logs that grow most:\n +1\.0 GB a day {2}\/var\/log\/app\.log/,
    /\/var\/log\/gone\.log \(3\.0 GB\): deleted, and java \(pid 7\) still has it open\n {4}mend: restart it/,
  ]) {
    assert.match(text, line);
  }
});
