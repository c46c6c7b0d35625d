import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Address } from "../core/address.ts";
import { wholeAddress } from "./guardrails.ts";
import { StandingBlocks } from "./standing.ts";

test("the first end is told, to the second, as far ahead as somebody asks", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 20 }),
      fc.integer({ min: 0, max: 60_000 }),
      (endsMs, nowMs) => {
        const standing = new StandingBlocks();
        const at = { sinceMs: 0, untilMs: 0, grade: "proven", throttled: false, packetsStopped: 0 } as const;
        for (const [i, endMs] of endsMs.entries())
          standing.set({ target: wholeAddress(`192.0.2.${i}` as Address), endMs, ...at });
        for (const { target } of standing.due(nowMs, 100)) standing.delete(target.base);
        const withinMs = 10_000;
        const saidMs = standing.dueWithin(nowMs, withinMs);
        const left = [...standing].map(({ endMs }) => Math.ceil(endMs / 1_000) * 1_000);
        const firstMs = Math.min(...left);
        if (firstMs > nowMs + withinMs) assert.equal(saidMs, null);
        else {
          assert.equal(saidMs, Math.max(0, firstMs - nowMs));
          assert.ok(standing.due(nowMs + saidMs, 100).length > 0, "then it is due");
          assert.ok(saidMs === 0 || standing.due(nowMs + saidMs - 1, 100).length === 0, "and not before");
        }
      },
    ),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});
