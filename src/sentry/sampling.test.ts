import assert from "node:assert/strict";
import test from "node:test";
import { Sampling } from "./sampling.ts";

/** Plays a rate of visits for a while; returns the number handed over and the changes of the share. */
function play(
  sampling: Sampling,
  state: { visits: number; nowMs: number },
  perSecond: number,
  seconds: number,
) {
  const before = state.visits;
  let changes = 0;
  for (let step = 0; step < seconds * 4; step++) {
    state.nowMs += 250;
    state.visits += perSecond / 4 / sampling.oneIn;
    if (sampling.adapt(state.visits, state.nowMs)) changes++;
  }
  return { handedOver: state.visits - before, changes };
}

test("a quiet host hands over every visit", () => {
  const sampling = new Sampling(0);
  assert.equal(play(sampling, { visits: 0, nowMs: 0 }, 40, 60).changes, 0);
  assert.equal(sampling.oneIn, 1);
});

test("fifty thousand visits a second become some fifty within a second, and the filter is written a few times only", () => {
  const sampling = new Sampling(0);
  const state = { visits: 0, nowMs: 0 };
  play(sampling, state, 50_000, 1);
  const { handedOver, changes } = play(sampling, state, 50_000, 60);
  assert.ok(handedOver / 60 <= 100, String(handedOver / 60));
  assert.ok(handedOver / 60 >= 12);
  assert.ok(changes <= 2, String(changes));
});

test("when it is quiet again, every visit counts again after a while", () => {
  const sampling = new Sampling(0);
  const state = { visits: 0, nowMs: 0 };
  play(sampling, state, 50_000, 10);
  play(sampling, state, 5, 120);
  assert.equal(sampling.oneIn, 1);
});
