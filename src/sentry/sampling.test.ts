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
  assert.equal(play(sampling, { visits: 0, nowMs: 0 }, 25, 60).changes, 0);
  assert.equal(sampling.oneIn, 1);
});

test("fifty thousand visits a second become a handful within a second, and the filter is written a few times only", () => {
  const sampling = new Sampling(0);
  const state = { visits: 0, nowMs: 0 };
  play(sampling, state, 50_000, 1);
  const { handedOver, changes } = play(sampling, state, 50_000, 60);
  assert.ok(handedOver / 60 <= 10, String(handedOver / 60));
  assert.ok(handedOver / 60 >= 2);
  assert.ok(changes <= 2, String(changes));
});

test("a busy service is noticed after some thirty visits, not only at the next look", () => {
  const sampling = new Sampling(0);
  let [visits, seen] = [0, 0];
  // Ten thousand a second for a second, looked at as soon as enough came.
  for (let nowMs = 0; nowMs < 1_000; nowMs += 0.1) {
    if (++visits % sampling.oneIn === 0) seen++;
    if (sampling.isDue(seen)) sampling.adapt(seen, nowMs);
  }
  assert.ok(seen <= 150, String(seen));
  assert.ok(sampling.oneIn >= 64, String(sampling.oneIn));
});

test("a page that opens a dozen connections at once changes nothing", () => {
  const sampling = new Sampling(0);
  for (let page = 1; page <= 20; page++) {
    assert.ok(!sampling.isDue(page * 12));
    assert.ok(!sampling.adapt(page * 12, page * 1_000));
  }
});

test("when it is quiet again, every visit counts again after a while", () => {
  const sampling = new Sampling(0);
  const state = { visits: 0, nowMs: 0 };
  play(sampling, state, 50_000, 10);
  play(sampling, state, 5, 120);
  assert.equal(sampling.oneIn, 1);
});
