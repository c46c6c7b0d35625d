import assert from "node:assert/strict";
import test from "node:test";
import { Habits } from "./decide.ts";

const MINUTE_MS = 60_000;

// Looks once a minute at a log that grows by these many bytes each time.
function follow(grown: readonly number[], habits = new Habits(), path = "/var/log/app.log"): number[] {
  let sizeBytes = 1_000_000;
  const surged: number[] = [];
  habits.look([{ path, sizeBytes, ino: 1 }], 0);
  for (const [index, bytes] of grown.entries()) {
    sizeBytes += bytes;
    if (habits.look([{ path, sizeBytes, ino: 1 }], (index + 1) * MINUTE_MS).length > 0) surged.push(index);
  }
  return surged;
}

const steady = Array.from({ length: 20 }, () => 60_000);

test("ten times the habit is told at once, and once", () => {
  assert.deepEqual(follow([...steady, 700_000, 700_000, 700_000]), [20]);
  assert.deepEqual(follow([...steady, 500_000]), []);
});

test("a job that writes much every ten minutes has that habit", () => {
  const bursts = Array.from({ length: 60 }, (_, i) => (i % 8 === 7 ? 5_000_000 : 10_000));
  assert.deepEqual(
    follow([...bursts, 5_000_000]).filter((index) => index > 20),
    [],
  );
});

test("a quiet log that says a few lines does not surge, one that pours does", () => {
  const silent = Array.from({ length: 20 }, () => 0);
  assert.deepEqual(follow([...silent, 4_000]), []);
  assert.deepEqual(follow([...silent, 10_000_000]), [20]);
});

test("a rotation is no surge, and what grows after it is counted", () => {
  const habits = new Habits();
  follow(steady, habits);
  const look = (sizeBytes: number, ino: number, minute: number) =>
    habits.look([{ path: "/var/log/app.log", sizeBytes, ino }], minute * MINUTE_MS);
  assert.deepEqual(look(30_000, 2, 21), []);
  const [surge] = look(30_000 + 9_000_000, 2, 22);
  assert.equal(surge!.fromBytes, 30_000);
  assert.equal(Math.round(surge!.bytesPerDay), 9_000_000 * 1_440);
  assert.equal(Math.round(surge!.usualBytesPerDay), 60_000 * 1_440);
});

test("knows no habit from a few looks, and remembers only so many logs", () => {
  assert.deepEqual(follow([1, 1, 50_000_000]), []);
  const habits = new Habits();
  for (let i = 0; i < 3_000; i++) habits.look([{ path: `/${i}`, sizeBytes: 0, ino: 1 }], i);
  assert.equal(follow([...steady, 9_000_000], habits).length, 1);
});
