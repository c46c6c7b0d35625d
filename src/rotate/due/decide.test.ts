import assert from "node:assert/strict";
import { before, test } from "node:test";
import { DEFAULTS } from "../directives/parse.ts";
import type { FileFact, Settings } from "../types.ts";
import { decideDue, type LastRotation } from "./decide.ts";

before(() => {
  process.env["TZ"] = "Europe/Berlin";
});

const log = (sizeBytes: number, mtime = "2024-01-01T00:00:00"): FileFact => ({
  path: "/l",
  kind: "file",
  dev: 1,
  ino: 1,
  links: 1,
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes,
  atimeMs: 0,
  mtimeMs: new Date(mtime).getTime(),
});

// settings, size, last, now → due
const TABLE: [Partial<Settings>, number, string, string, boolean][] = [
  [{ criterion: "daily" }, 1, "2024-03-30T23:59:00", "2024-03-31T00:00:00", true],
  [{ criterion: "daily" }, 1, "2024-03-31T00:00:00", "2024-03-31T23:59:00", false],
  [{ criterion: "hourly" }, 1, "2024-03-31T01:59:00", "2024-03-31T03:00:00", true],
  [{ criterion: "hourly" }, 1, "2024-03-31T03:00:00", "2024-03-31T03:59:00", false],
  // The clocks went forward: seven days of the calendar, though an hour short of 168.
  [{ criterion: "weekly", weekday: 7 }, 1, "2024-03-30T07:00:00", "2024-04-06T07:00:00", true],
  [{ criterion: "weekly", weekday: 0 }, 1, "2024-05-03T12:00:00", "2024-05-05T00:10:00", true],
  [{ criterion: "weekly", weekday: 0 }, 1, "2024-05-05T00:10:00", "2024-05-05T23:10:00", false],
  [{ criterion: "weekly", weekday: 3 }, 1, "2024-05-03T12:00:00", "2024-05-05T00:10:00", false],
  [{ criterion: "monthly" }, 1, "2024-01-31T23:59:00", "2024-02-01T00:01:00", true],
  [{ criterion: "monthly" }, 1, "2024-02-01T00:01:00", "2024-02-29T23:00:00", false],
  [{ criterion: "monthly", monthDay: 31 }, 1, "2024-02-20T00:00:00", "2024-02-28T23:00:00", false],
  [{ criterion: "monthly", monthDay: 31 }, 1, "2024-02-20T00:00:00", "2024-02-29T00:00:00", true],
  [{ criterion: "monthly", monthDay: 15 }, 1, "2024-02-15T03:00:00", "2024-03-14T23:00:00", false],
  [{ criterion: "yearly" }, 1, "2023-12-31T23:00:00", "2024-01-01T00:00:00", true],
  [{ criterion: "minutes", everyMinutes: 15 }, 1, "2024-01-01T00:00:00", "2024-01-01T00:14:59", false],
  [{ criterion: "minutes", everyMinutes: 15 }, 1, "2024-01-01T00:00:00", "2024-01-01T00:15:00", true],
  [{ criterion: "size", sizeBytes: 10 }, 10, "2024-01-01T00:00:00", "2024-01-01T00:00:00", true],
  [{ criterion: "size", sizeBytes: 10 }, 9, "2020-01-01T00:00:00", "2024-01-01T00:00:00", false],
  [{ criterion: "yearly", maxSizeBytes: 10 }, 11, "2024-01-01T00:00:00", "2024-01-01T00:01:00", true],
  [{ criterion: "daily", minSizeBytes: 10 }, 9, "2024-01-01T00:00:00", "2024-01-09T00:00:00", false],
  [{ criterion: "daily", minAgeDays: 9 }, 9, "2024-01-01T00:00:00", "2024-01-09T00:00:00", false],
  [{ criterion: "daily", ifEmpty: false }, 0, "2024-01-01T00:00:00", "2024-01-09T00:00:00", false],
  [{ criterion: "daily" }, 0, "2024-01-01T00:00:00", "2024-01-09T00:00:00", true],
  [{ criterion: "daily" }, 1, "2024-02-01T00:00:00", "2024-01-09T00:00:00", true],
];

const rotatedAt = (at: string | Date): LastRotation => ({ at: new Date(at), isFirstSight: false });

test("a log is due by the calendar on the wall, its size and its age", () => {
  for (const [some, size, last, now, due] of TABLE) {
    const settings = { ...DEFAULTS, ...some };
    const given = decideDue(settings, log(size), rotatedAt(last), new Date(now), false);
    assert.equal(given.rotate, due, `${JSON.stringify(some)} ${last} ${now}: ${given.why}`);
    assert.ok(given.why.length > 5);
  }
});

test("force overrides everything but notifempty", () => {
  const now = new Date("2024-01-01T00:00:00");
  const settings = { ...DEFAULTS, criterion: "daily" as const, minSizeBytes: 10, minAgeDays: 5 };
  assert.equal(decideDue(settings, log(1), rotatedAt(now), now, true).rotate, true);
  assert.equal(decideDue({ ...settings, ifEmpty: false }, log(0), rotatedAt(now), now, true).rotate, false);
});

test("a log seen for the first time is not said to have been rotated", () => {
  const now = new Date("2024-01-01T10:20:00");
  const last = { at: new Date("2024-01-01T10:00:00"), isFirstSight: true };
  for (const criterion of ["hourly", "daily", "weekly", "monthly", "yearly", "minutes"] as const) {
    const settings = { ...DEFAULTS, criterion, everyMinutes: 30 };
    const { rotate, why } = decideDue(settings, log(1), last, now, false);
    assert.equal(rotate, false, criterion);
    assert.match(why, /^never seen before: its first period \(.*\) has begun now$/);
  }
});
