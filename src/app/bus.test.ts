import assert from "node:assert/strict";
import test from "node:test";
import { systemClock } from "../core/clock.ts";
import type { Event } from "../core/events.ts";
import { Bus } from "./bus.ts";

const started = { type: "guard.started", version: "0", mode: "observe" } as const;
const stopped = { type: "guard.stopped", because: "test" } as const;

test("listeners hear an event before emit returns; the store gets it in order", () => {
  const bus = new Bus("h", systemClock);
  const heard: string[] = [];
  const stored: Event[] = [];
  bus.attach({ appendAll: (events) => stored.push(...events) });
  bus.subscribe((event) => {
    heard.push(event.type);
    if (event.type === "guard.started") bus.emit(stopped);
  });
  bus.emit(started);
  assert.deepEqual(heard, ["guard.started", "guard.stopped"]);
  assert.equal(stored.length, 0, "the disk is not waited for");
  bus.close();
  assert.deepEqual(
    stored.map((event) => event.type),
    ["guard.started", "guard.stopped"],
  );
  assert.ok(stored[0]!.id < stored[1]!.id || stored[0]!.at === stored[1]!.at);
});

test("who acts hears first, and what a listener says comes after what it answers", () => {
  const bus = new Bus("h", systemClock);
  const heard: string[] = [];
  bus.subscribe((event) => heard.push(`shown ${event.type}`));
  bus.subscribe((event) => {
    heard.push(`acted on ${event.type}`);
    if (event.type === "guard.started") bus.emit(stopped);
  }, "acts");
  bus.emit(started);
  assert.deepEqual(heard, [
    "acted on guard.started",
    "shown guard.started",
    "acted on guard.stopped",
    "shown guard.stopped",
  ]);
});

test("what was said before a listener failed is told with the next event", () => {
  const bus = new Bus("h", systemClock);
  const heard: string[] = [];
  bus.subscribe((event) => {
    if (event.type === "guard.started") {
      bus.emit(stopped);
      throw new Error("broken");
    }
  });
  bus.subscribe((event) => heard.push(event.type));
  assert.throws(() => bus.emit(started), /broken/);
  bus.emit(stopped);
  assert.deepEqual(heard, ["guard.stopped", "guard.stopped"]);
});

test("events wait while the store refuses; the refusal and the recovery are told", () => {
  const bus = new Bus("h", systemClock);
  const stored: Event[] = [];
  const heard: Event[] = [];
  let full = true;
  bus.subscribe((event) => heard.push(event));
  bus.attach({
    appendAll: (events) => {
      if (full) throw new Error("disk is full");
      stored.push(...events);
    },
  });
  bus.emit(started);
  assert.equal(bus.flush(), false);
  assert.equal(bus.flush(), false);
  assert.deepEqual(
    heard.map((event) => event.type),
    ["guard.started", "part.failed"],
  );
  full = false;
  assert.equal(bus.flush(), true);
  bus.close();
  assert.deepEqual(
    stored.map((event) => event.type),
    ["guard.started", "part.failed", "part.recovered"],
  );
  const recovered = stored.at(-1)!;
  assert.ok(recovered.type === "part.recovered" && recovered.how.includes("nothing was lost"));
});

test("a store that never takes anything bounds the memory, and the loss is counted", () => {
  const bus = new Bus("h", systemClock);
  const stored: Event[] = [];
  let full = true;
  bus.attach({
    appendAll: (events) => {
      if (full) throw new Error("disk is full");
      stored.push(...events);
    },
  });
  for (let i = 0; i < 25_000; i++) bus.emit(stopped);
  bus.flush();
  full = false;
  bus.flush();
  bus.close();
  assert.ok(stored.length <= 20_002);
  const recovered = stored.at(-1)!;
  assert.ok(
    recovered.type === "part.recovered" && /50\d\d events were lost/.test(recovered.how),
    JSON.stringify(recovered),
  );
});
