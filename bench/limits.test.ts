// A figure says little without what the machine allows: every case is compared with a limit as well.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { checkBench } from "./check.bench.ts";
import { detectionBench } from "./detection.bench.ts";
import { guardBench } from "./guard.bench.ts";
import { respondBench } from "./respond.bench.ts";
import { rotateBench } from "./rotate.bench.ts";
import { sentryBench } from "./sentry.bench.ts";

// These are made as the one of their kind that is looked at; compiling their rules takes half a minute.
const LIKE_ANOTHER = /^engine-(?!typical-rules-1x$)/;

for (const bench of [rotateBench, checkBench, detectionBench, sentryBench, respondBench, guardBench]) {
  test(`each case of ${bench.name} names its limit`, async () => {
    for (const each of bench.cases(0.0001).filter(({ name }) => !LIKE_ANOTHER.test(name))) {
      const dir = mkdtempSync(join(tmpdir(), "telltale-limits-"));
      try {
        using opened = await each.open(dir);
        const limits = opened.contenders.filter(({ role }) => role === "limit");
        assert.notEqual(limits.length, 0, each.name);
        assert.equal(opened.contenders.filter(({ role }) => role === "telltale").length, 1, each.name);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    }
  });
}
