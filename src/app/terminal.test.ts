import assert from "node:assert/strict";
import test from "node:test";
import { shortTime } from "./terminal.ts";

test("a time of another day shows its date", () => {
  const now = new Date(2025, 5, 1, 12, 0, 0);
  assert.equal(shortTime(new Date(2025, 5, 1, 14, 5, 0), now), "14:05:00");
  assert.equal(shortTime(new Date(2025, 5, 2, 6, 25, 0), now), "2025-06-02 06:25");
});
