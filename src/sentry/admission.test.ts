import assert from "node:assert/strict";
import test from "node:test";
import { Admission } from "./admission.ts";

/** Strangers at an even pace; returns how many were taken in. */
function come(admission: Admission, perSecond: number, seconds: number, fromMs = 0): number {
  let admitted = 0;
  for (let i = 0; i < perSecond * seconds; i++)
    if (admission.admits(fromMs + (i * 1_000) / perSecond)) admitted++;
  return admitted;
}

test("everybody is taken in while fewer than ten thousand come in a second", () => {
  const admission = new Admission(7);
  assert.equal(come(admission, 10_000, 5), 50_000);
  assert.equal(admission.passedOver, 0);
});

test("of a flood about ten thousand a second are taken in, whatever its rate, and the others are counted", () => {
  for (const perSecond of [30_000, 200_000, 500_000]) {
    const admission = new Admission(7);
    const admitted = come(admission, perSecond, 2);
    assert.ok(admitted >= 2 * 4_000 && admitted <= 2 * 16_000, `${admitted} of ${perSecond} a second`);
    assert.equal(admission.passedOver, 2 * perSecond - admitted);
  }
});

test("whoever goes on in the midst of a flood is taken in soon", () => {
  const admission = new Admission(7);
  come(admission, 400_000, 1);
  let tries = 0;
  // Each of his probes comes among four hundred forged ones.
  for (let own = false; !own; tries++) {
    for (let i = 0; i < 400; i++) admission.admits(1_000 + tries + i / 400);
    own = admission.admits(1_000 + tries);
  }
  assert.ok(tries < 400, String(tries));
});

test("a flood that has passed changes nothing any more, nor does a clock that is set back", () => {
  const admission = new Admission(7);
  come(admission, 500_000, 1);
  assert.equal(come(admission, 1_000, 1, 5_000), 1_000);
  come(admission, 500_000, 1, 10_000);
  assert.equal(come(admission, 1_000, 1, 0), 1_000);
});
