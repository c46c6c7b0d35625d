import assert from "node:assert/strict";
import test from "node:test";
import { memoryShareBytes } from "./memory.ts";

test("a process's share of memory is above nothing and at most what is resident", () => {
  const share = memoryShareBytes();
  assert.ok(share > 5_000_000, String(share));
  assert.ok(share <= process.memoryUsage.rss() * 1.1, String(share));
});
