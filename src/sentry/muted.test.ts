import assert from "node:assert/strict";
import test from "node:test";
import { MAX_MUTED, Muted } from "./muted.ts";

const FOUR = [0xc633_6407, 0, 0, 0] as const;
const SIX = [0x2001_0db8, 0x0001_0000, 0, 7] as const;

test("only who is blocked and loud is muted, once, and until the block ends", () => {
  const muted = new Muted();
  assert.ok(!muted.hear(4, FOUR, 10_000, 250), "loud, but not blocked");
  muted.block("198.51.100.7");
  assert.ok(!muted.hear(4, FOUR, 100, 250), "blocked, but quiet");
  assert.ok(muted.hear(4, FOUR, 10_000, 250));
  assert.ok(!muted.hear(4, FOUR, 10_000, 250), "known already");
  assert.deepEqual(muted.list(), [{ family: 4, words: FOUR, bits: 32 }]);
  assert.ok(muted.lift("198.51.100.7"));
  assert.ok(!muted.lift("198.51.100.7"));
  assert.deepEqual(muted.list(), []);
});

test("an IPv6 source is muted as it is blocked: by its address or by its /64", () => {
  const muted = new Muted();
  muted.block("2001:db8:1::/64");
  assert.ok(muted.hear(6, SIX, 10_000, 250));
  assert.equal(muted.list()[0]!.bits, 64);
  assert.ok(muted.lift("2001:db8:1::/64"));
  muted.block("2001:db8:1::7");
  assert.ok(muted.hear(6, SIX, 10_000, 250));
  assert.equal(muted.list()[0]!.bits, 128);
});

test("wide prefixes, nonsense and more sources than the filter can ask for are left to the firewall", () => {
  const muted = new Muted();
  for (const target of ["198.51.100.0/24", "2001:db8::/48", "nonsense", ""]) muted.block(target);
  assert.ok(!muted.hear(4, FOUR, 10_000, 250));
  for (let i = 0; i < 100; i++) {
    muted.block(`203.0.113.${i}`);
    muted.hear(4, [0xcb00_7100 + i, 0, 0, 0], 10_000, 250);
  }
  assert.equal(muted.list().length, MAX_MUTED);
});
