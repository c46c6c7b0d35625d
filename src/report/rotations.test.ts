// Rotations in the digest: failures first, what repeats once.
import assert from "node:assert/strict";
import test from "node:test";
import { empty } from "./digest.ts";
import { made, section } from "./fixtures/digest.ts";
import { scan, stamped } from "./fixtures/events.ts";

process.env["TZ"] = "UTC";

test("puts failed rotations before done ones and folds a failure that repeats", () => {
  const failed = {
    type: "rotation.failed",
    log: "/var/log/a",
    why: "disk full",
    mend: "free space",
  } as const;
  const done = {
    type: "log.rotated",
    log: "/var/log/b",
    to: "/var/log/b.1",
    sizeBytes: 10,
    because: "daily",
  } as const;
  const { entries } = section(
    [stamped(done), stamped(failed, "19:10:00"), stamped(failed, "19:20:00")],
    "rotations",
  )!;
  assert.match(entries[0]!.lines[0]!, /FAILED \/var\/log\/a: disk full$/);
  assert.deepEqual(entries[0]!.notes, ["mend: free space", "2 times, 19:10:00 to 19:20:00"]);
  assert.match(entries[1]!.lines[0]!, /\/var\/log\/b -> \/var\/log\/b\.1 \(10 bytes\): daily/);
});

test("a log that was rotated often stands there once, with all its bytes and warnings", () => {
  const rotated = (at: string, warning?: string) =>
    stamped(
      {
        type: "log.rotated",
        log: "/var/log/b",
        to: "/var/log/b.1",
        sizeBytes: 1_000_000,
        because: "size 1M reached",
        bytesAtRisk: 10,
        ...(warning !== undefined && { warning }),
      },
      at,
    );
  const { entries } = section(
    [
      stamped(scan("192.0.2.7", [1])),
      rotated("19:10:00", "odd"),
      rotated("19:20:00", "odd"),
      rotated("19:30:00"),
    ],
    "rotations",
  )!;
  assert.equal(entries.length, 1);
  assert.match(
    entries[0]!.lines[0]!,
    /^Nov 22 19:30:00 \/var\/log\/b -> .* \(3\.0 MB in 3 rotations\): size 1M reached$/,
  );
  assert.deepEqual(entries[0]!.notes, [
    "copytruncate: up to 30 bytes may have been lost",
    "warning: odd",
    "3 times, 19:10:00 to 19:30:00",
  ]);
  assert.equal(entries[0]!.count, 3);
});

test("tells with the next news that rotation works, what it removed, and what it warns of", () => {
  const events = [
    {
      type: "log.rotated",
      log: "/var/log/b",
      to: "/var/log/b.1",
      sizeBytes: 10,
      because: "daily",
      bytesAtRisk: 512,
      warning: "no O_APPEND",
    },
    { type: "log.pruned", path: "/srv/old.log", sizeBytes: 4_200_000, because: "max_age of retention.app" },
  ] as const;
  const result = made(events.map((each) => stamped(each)));
  assert.ok(empty(result));
  const [rotated] = result.sections[0]!.entries;
  const [pruned] = result.sections[1]!.entries;
  assert.deepEqual(rotated!.notes, [
    "copytruncate: up to 512 bytes may have been lost",
    "warning: no O_APPEND",
  ]);
  assert.match(pruned!.lines[0]!, /REMOVED \/srv\/old\.log \(4\.2 MB\): max_age of retention\.app$/);
});
