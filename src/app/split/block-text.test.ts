import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parsePrefix } from "../../core/address.ts";
import { MalformedRequest } from "../../warden/requests/parse.ts";
import { readAsked, readChanges, readHeld, writeAsked, writeChanges, writeHeld } from "./block-text.ts";

const YEAR_MS = 366 * 86_400_000;
const numRuns = Number(process.env["TELLTALE_RUNS"] ?? 200);

const target = fc
  .oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  )
  .map(([base, bits]) => parsePrefix(`${base}/${bits}`))
  .filter((prefix) => prefix !== null);
const slow = fc.constantFrom({}, { throttled: true });
const change = fc.oneof(
  fc.record({
    do: fc.constant("block" as const),
    target,
    forMs: fc.integer({ min: 1, max: YEAR_MS }),
    packetsStopped: fc.nat(),
    fresh: fc.boolean(),
    more: slow,
  }),
  fc.record({ do: fc.constant("lift" as const), target, more: slow }),
);

test("changes come through as they were", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (all) => {
      const changes = all.map(({ more, ...each }) => ({ ...each, ...more }));
      assert.deepEqual(readChanges(writeChanges(changes), 20, YEAR_MS), changes);
    }),
    { numRuns },
  );
});

test("blocks come through as they were", () => {
  const block = fc.record({
    target,
    leftMs: fc.option(fc.nat()),
    packetsStopped: fc.maxSafeNat().map((n) => n % 1e15),
    more: slow,
  });
  fc.assert(
    fc.property(fc.array(block, { maxLength: 20 }), (all) => {
      const held = all.map(({ more, ...each }) => ({ ...each, ...more }));
      assert.deepEqual(readHeld(writeHeld(held)), held);
    }),
    { numRuns },
  );
});

test("blocks that are asked about come through as they were", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ target, throttled: fc.boolean() }), { maxLength: 20 }), (all) => {
      const blocks = all.map((each) => ({ ...each }));
      assert.deepEqual(readAsked(writeAsked(blocks), 20), blocks);
    }),
    { numRuns },
  );
  for (const text of [
    "-192.0.2.7",
    "192.0.2.7 ",
    "192.0.2.7tt",
    "192.0.2.7/33",
    "t",
    ";",
    "::1;::2;::3",
    null,
    7,
  ])
    assert.throws(() => readAsked(text, 2), MalformedRequest, JSON.stringify(text));
});

for (const text of [
  "192.0.2.7",
  "+192.0.2.7",
  "+192.0.2.7 0 0 ",
  "+192.0.2.7 -1 0 ",
  "+192.0.2.7 1e9 0 ",
  "+192.0.2.7 31622400001 0 ",
  "+192.0.2.7 1000 0 x",
  "+192.0.2.7 1000 0 ;",
  "+192.0.2.777 1000 0 ",
  "+192.0.2.07 1000 0 ",
  "+192.0.2.7/ 1000 0 ",
  "+192.0.2.7; nft flush ruleset 1000 0 ",
  `+${"1".repeat(100_000)} 1000 0 `,
  "+192.0.2.7/33 1000 0 ",
  "+fe80::1%eth0 1000 0 ",
  "-192.0.2.7 1000 0 ",
  "-",
  "-0.0.0",
  "-1;-2;-3",
  "-192.0.2.1;-192.0.2.2;-192.0.2.3",
  " ",
  ["-192.0.2.7"],
  null,
  7,
]) {
  test(`${JSON.stringify(text).slice(0, 40)} is no two changes`, () => {
    assert.throws(() => readChanges(text, 2, YEAR_MS), MalformedRequest);
  });
}
