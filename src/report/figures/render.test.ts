import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  bytes,
  counted,
  cut,
  dayStamp,
  grouped,
  head,
  period,
  span,
  subjectStamp,
  syslogStamp,
  zone,
} from "./render.ts";

const AT = "2026-11-02T09:05:01.000Z";

function inZone(name: string, run: () => void): void {
  const before = process.env["TZ"];
  process.env["TZ"] = name;
  try {
    run();
  } finally {
    if (before === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before;
  }
}

test("writes times as the logs of the machine do, in its zone", () => {
  inZone("UTC", () => {
    assert.equal(syslogStamp(AT), "Nov  2 09:05:01");
    assert.equal(dayStamp(AT), "Mon Nov  2 09:05");
    assert.equal(subjectStamp(AT), "2026-11-02 09:05");
    assert.equal(zone(AT), "UTC");
  });
  inZone("Asia/Kolkata", () => {
    assert.equal(syslogStamp(AT), "Nov  2 14:35:01");
    assert.equal(period(AT, AT), "Mon Nov  2 14:35 to Mon Nov  2 14:35 UTC+05:30");
  });
  inZone("America/St_Johns", () => assert.equal(zone(AT), "UTC-03:30"));
});

test("says when something began and ended in as few words as that takes", () => {
  inZone("UTC", () => {
    assert.equal(span(AT, AT), "at 09:05:01");
    assert.equal(span(AT, "2026-11-02T10:00:00Z"), "09:05:01 to 10:00:00");
    assert.equal(span(AT, "2026-11-03T10:00:00Z"), "Nov  2 09:05:01 to Nov  3 10:00:00");
  });
});

test("has an answer to what is no time", () => {
  for (const say of [syslogStamp, dayStamp, subjectStamp, zone]) assert.match(say("never"), /\S/);
});

test("writes sizes and counts as people read them", () => {
  assert.deepEqual([0, 1, 999, 1_000, 4_249, 9_960, 999_499, 999_500, 1_300_000_000].map(bytes), [
    "0 bytes",
    "1 byte",
    "999 bytes",
    "1.0 kB",
    "4.2 kB",
    "10 kB",
    "999 kB",
    "1.0 MB",
    "1.3 GB",
  ]);
  assert.equal(counted(1, "address", "addresses"), "1 address");
  assert.equal(counted(1_200, "address", "addresses"), "1,200 addresses");
  assert.equal(grouped(1_234_567), "1,234,567");
});

test("cuts no character in half", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 20 }), (text, max) => {
      assert.ok(head(text, max).isWellFormed());
      assert.ok(cut(text, max).startsWith(head(text, max)));
    }),
  );
});
