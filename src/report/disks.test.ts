import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import test from "node:test";
import fc from "fast-check";
import { digest, empty } from "./digest.ts";
import { diskOutlooks, diskWorry } from "./disks/decide.ts";
import { sampleDisks } from "./disks.ts";
import type { DiskSample } from "./types.ts";

const GB = 1_000_000_000;
const START = Date.parse("2026-11-22T00:00:00Z");

const sample = (hours: number, freeBytes: number, more: Partial<DiskSample> = {}): DiskSample => ({
  at: new Date(START + hours * 3_600_000).toISOString(),
  mount: "/var",
  sizeBytes: 100 * GB,
  freeBytes,
  sizeFiles: 1_000,
  freeFiles: 900,
  ...more,
});

test("foresees when steady growth fills a disk", () => {
  const [outlook] = diskOutlooks([sample(0, 50 * GB), sample(1, 49 * GB), sample(2, 48 * GB)]);
  assert.equal(Math.round(outlook!.fullInMs! / 3_600_000), 48);
  assert.equal(diskWorry(outlook!), "soon");
});

test("sees the growth behind the saw teeth of rotation", () => {
  const teeth = Array.from({ length: 48 }, (_, hour) => sample(hour, (60 - hour * 0.5 - (hour % 6)) * GB));
  const [outlook] = diskOutlooks(teeth);
  const hours = outlook!.fullInMs! / 3_600_000;
  assert.ok(hours > 40 && hours < 90, `${hours} hours`);
});

test("foresees nothing from samples minutes apart, from a shrinking use, or across a resize", () => {
  assert.equal(diskOutlooks([sample(0, 50 * GB), sample(0.1, 40 * GB)])[0]!.fullInMs, null);
  assert.equal(diskOutlooks([sample(0, 50 * GB), sample(2, 60 * GB)])[0]!.fullInMs, null);
  assert.equal(
    diskOutlooks([sample(0, 50 * GB), sample(2, 10 * GB, { sizeBytes: 60 * GB })])[0]!.fullInMs,
    null,
  );
});

test("worries about little room and about inodes, not about a calm disk", () => {
  assert.equal(diskWorry(diskOutlooks([sample(0, 5 * GB)])[0]!), "little");
  assert.equal(diskWorry(diskOutlooks([sample(0, 50 * GB, { freeFiles: 10 })])[0]!), "files");
  assert.equal(diskWorry(diskOutlooks([sample(0, 50 * GB, { sizeFiles: 0, freeFiles: 0 })])[0]!), null);
  assert.equal(diskWorry(diskOutlooks([sample(0, 50 * GB)])[0]!), null);
});

test("the digest speaks of a disk only when it is a worry, and alone only when it will not last the day", () => {
  const base = {
    host: "web1",
    from: new Date(START),
    to: new Date(START),
    mode: "block",
    events: [],
    blocksInForce: [],
  } as const;
  assert.ok(empty(digest({ ...base, disks: diskOutlooks([sample(0, 50 * GB)]) })));
  assert.ok(empty(digest({ ...base, disks: diskOutlooks([sample(0, 5 * GB)]) })), "little, but no news");
  const worried = digest({ ...base, disks: diskOutlooks([sample(0, 5 * GB), sample(1, 4 * GB)]) });
  assert.ok(!empty(worried));
  const [section] = worried.sections;
  assert.equal(section!.title, "Rotations");
  assert.match(section!.entries[0]!.lines[0]!, /DISK \/var: 4\.0 GB of 100 GB free \(4 %\)$/);
  assert.deepEqual(section!.entries[0]!.notes, ["if it goes on growing like this, it is full in 4h"]);
});

test("looks at a real file system once, whatever paths lie on it", () => {
  const found = sampleDisks([tmpdir(), tmpdir(), "/no/such/path"], new Date());
  assert.equal(found.length, 1);
  assert.ok(
    found[0]!.sizeBytes > 0 && found[0]!.freeBytes >= 0 && found[0]!.freeBytes <= found[0]!.sizeBytes,
  );
});

test("has an answer to any samples", () => {
  const any = fc.record({
    at: fc.constantFrom(
      "never",
      ...[0, 1, 2, 3].map((hour) => new Date(START + hour * 3_600_000).toISOString()),
    ),
    mount: fc.constantFrom("/", "/var"),
    sizeBytes: fc.nat(),
    freeBytes: fc.nat(),
    sizeFiles: fc.nat(),
    freeFiles: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(any), (samples) => {
      for (const outlook of diskOutlooks(samples)) {
        diskWorry(outlook);
        assert.ok(outlook.fullInMs === null || outlook.fullInMs >= 0);
      }
    }),
  );
});
