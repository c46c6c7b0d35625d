import assert from "node:assert/strict";
import test from "node:test";
import { NextTick } from "./next-tick.ts";

test("of several moments the soonest counts, once", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let ticks = 0;
  const next = new NextTick(() => ticks++);
  t.after(() => next.close());
  next.within(10_000);
  next.within(1_000);
  next.within(5_000);
  t.mock.timers.tick(999);
  assert.equal(ticks, 0);
  t.mock.timers.tick(1);
  assert.equal(ticks, 1);
  t.mock.timers.tick(20_000);
  assert.equal(ticks, 1, "whoever wants more says so at the tick");
  next.within(2_000);
  t.mock.timers.tick(2_000);
  assert.equal(ticks, 2);
  next.within(1_000);
  next.close();
  next.within(1);
  t.mock.timers.tick(20_000);
  assert.equal(ticks, 2);
});
