import assert from "node:assert/strict";
import test from "node:test";
import { readConfig } from "../config/read.ts";
import { DEFAULT_THRESHOLDS } from "./detect.ts";
import { watchedBy } from "./settings.ts";

test("an empty configuration decides as the tests of the engine do", () => {
  const { config, faults } = readConfig("/nonexistent/telltale.toml", false);
  assert.deepEqual(faults, []);
  const watched = watchedBy(config.sentry, [23]);
  assert.deepEqual(watched.thresholds, DEFAULT_THRESHOLDS);
  assert.deepEqual(watched.tripwirePorts, [23]);
  assert.deepEqual(watched.excludePorts, []);
  assert.equal(watched.graceMs, 600_000);
  assert.equal(watched.maxStateBytes, 8 << 20);
});
