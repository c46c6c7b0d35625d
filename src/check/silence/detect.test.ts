// Logs with the habits that logs have, and then without.
import assert from "node:assert/strict";
import test from "node:test";
import { SilenceWatch } from "./detect.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONDAY = Date.UTC(2026, 10, 23);

// Speaks every ten minutes, except when `quiet` says so.
function speak(watch: SilenceWatch, from: number, to: number, quiet: (at: number) => boolean = () => false) {
  for (let at = from; at < to; at += 10 * MINUTE) if (!quiet(at)) watch.heard("/var/log/syslog", at);
}

test("a log that spoke all day and stopped is told once, until it speaks again", () => {
  const watch = new SilenceWatch();
  speak(watch, MONDAY, MONDAY + 10 * HOUR);
  assert.deepEqual(watch.overdue(MONDAY + 10 * HOUR + 30 * MINUTE, 0), []);
  const [silence] = watch.overdue(MONDAY + 12 * HOUR, 0);
  assert.equal(silence?.log, "/var/log/syslog");
  assert.equal(silence.quietMs, 2 * HOUR + 10 * MINUTE);
  assert.equal(silence.usualLongestMs, 10 * MINUTE);
  assert.deepEqual(watch.overdue(MONDAY + 20 * HOUR, 0), []);
  watch.heard("/var/log/syslog", MONDAY + 20 * HOUR);
  assert.equal(watch.overdue(MONDAY + 21 * HOUR, 0).length, 0);
  assert.equal(watch.overdue(MONDAY + 60 * HOUR, 0).length, 1);
});

test("a log that is quiet every night, and every weekend, is no surprise", () => {
  const watch = new SilenceWatch();
  const closed = (at: number) => new Date(at).getUTCHours() < 8 || [0, 6].includes(new Date(at).getUTCDay());
  for (let day = 0; day < 21; day++) {
    speak(watch, MONDAY + day * DAY, MONDAY + (day + 1) * DAY, closed);
    if (day < 7) continue;
    for (let hour = 0; hour < 24; hour++)
      assert.deepEqual(watch.overdue(MONDAY + day * DAY + hour * HOUR, 0), []);
  }
  assert.equal(watch.overdue(MONDAY + 30 * DAY, 0).length, 1);
});

test("a burst is no habit, and a log that hardly ever speaks is not judged", () => {
  const watch = new SilenceWatch();
  for (let i = 0; i < 10_000; i++) watch.heard("burst", MONDAY + i);
  for (let i = 0; i < 5; i++) watch.heard("rare", MONDAY + i * DAY);
  assert.deepEqual(watch.overdue(MONDAY + 100 * DAY, 0), []);
});

test("our own absence is not the log's silence, and a restart forgets nothing", () => {
  const first = new SilenceWatch();
  speak(first, MONDAY, MONDAY + 10 * HOUR);
  const second = new SilenceWatch(JSON.parse(JSON.stringify(first.remember())));
  const back = MONDAY + 20 * HOUR;
  assert.deepEqual(second.overdue(back, back), []);
  assert.equal(second.overdue(back + 2 * HOUR, back).length, 1);
});

test("a memory that was damaged costs its own logs only", () => {
  const whole = { lastAt: MONDAY, spells: 20, dailyLongestMs: [MINUTE], day: 20_000, told: false };
  const damaged = {
    whole,
    none: null,
    text: "x",
    old: { lastAt: 1 },
    wrong: { ...whole, dailyLongestMs: ["1"] },
  };
  const watch = new SilenceWatch(damaged);
  assert.deepEqual(Object.keys(watch.remember()), ["whole"]);
  for (const junk of [null, 7, "x", [1]]) assert.deepEqual(new SilenceWatch(junk).remember(), {});
});

test("a clock set back, a log no longer read and too many logs do no harm", () => {
  const watch = new SilenceWatch();
  speak(watch, MONDAY, MONDAY + DAY);
  watch.heard("/var/log/syslog", MONDAY);
  assert.deepEqual(watch.overdue(MONDAY + MINUTE, 0), []);
  watch.forget("/var/log/syslog");
  assert.deepEqual(watch.overdue(MONDAY + 50 * DAY, 0), []);
  for (let i = 0; i < 5_000; i++) watch.heard(`log${i}`, MONDAY);
  assert.equal(Object.keys(watch.remember()).length, 4_096);
  assert.equal(watch.unwatched, 5_000 - 4_096);
});
