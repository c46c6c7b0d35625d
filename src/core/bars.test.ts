import assert from "node:assert/strict";
import test from "node:test";
import { bars, gauge } from "./bars.ts";

test("draws values from the least to the greatest, and a share of a width", () => {
  assert.equal(bars([0, 1, 2, 7]), "▁▂▃█");
  assert.equal(bars([5, 5]), "▁▁");
  assert.equal(gauge(0.25, 8), "██░░░░░░");
  assert.equal(gauge(2, 4), "████");
  assert.equal(gauge(-1, 4), "░░░░");
});
