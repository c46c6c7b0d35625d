import assert from "node:assert/strict";
import test from "node:test";
import { systemClock } from "../core/clock.ts";
import { SleepWatch } from "./sleep.ts";

const HOUR_MS = 3_600_000;

test("a sleep is told once, with its length; two clocks that are read one after the other are none", () => {
  let bootMs = 500_000;
  let awakeMs = 7_000;
  const slept: number[] = [];
  const watch = new SleepWatch(
    (ms) => slept.push(ms),
    () => bootMs,
    () => awakeMs,
  );
  const pass = (ms: number, asleepMs = 0) => {
    awakeMs += ms;
    bootMs += ms + asleepMs;
    watch.look();
  };
  pass(30_000);
  pass(30_000, 990);
  assert.deepEqual(slept, []);
  bootMs -= 990;
  pass(20_000, 8 * HOUR_MS);
  pass(30_000);
  assert.deepEqual(slept, [8 * HOUR_MS]);
  pass(0, HOUR_MS);
  assert.deepEqual(slept, [8 * HOUR_MS, HOUR_MS]);
});

test("durations go on while the host sleeps: a block that ran out meanwhile is over", () => {
  const before = systemClock.monotonicMs();
  new SleepWatch((ms) => systemClock.sleptFor(ms)).look();
  assert.ok(systemClock.monotonicMs() - before < HOUR_MS, "nobody slept");
  systemClock.sleptFor(HOUR_MS);
  const passed = systemClock.monotonicMs() - before;
  assert.ok(passed >= HOUR_MS && passed < 2 * HOUR_MS);
});
