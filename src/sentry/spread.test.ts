import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { emptyPacket } from "./decode.ts";
import { Spread, type SpreadFinding, type SpreadThresholds } from "./spread.ts";
import { KIND, type Packet } from "./types.ts";

const THRESHOLDS: SpreadThresholds = { ports: 128, sources: 64, withinMs: 600_000 };
const HOUR_MS = 3_600_000;
const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 20);

function watcher(thresholds = THRESHOLDS) {
  const spread = new Spread(thresholds, HOUR_MS, 7);
  const told: SpreadFinding[] = [];
  return {
    told,
    contact(source: number, port: number, atMs: number, nth = 1): void {
      const packet: Packet = { ...emptyPacket(), source0: source, targetPort: port, protocol: 6, atMs };
      const finding = spread.add(packet, 0, KIND.syn, nth);
      if (finding !== null) told.push(finding);
    },
  };
}

test("sources that walk through the ports together are told once, with their numbers and a sample", () => {
  const w = watcher();
  for (let i = 0; i < 300; i++) w.contact(0x0a00_0000 + i, 1 + i, 1_000_000 + i * 500);
  assert.equal(w.told.length, 1);
  const [found] = w.told;
  assert.equal(found!.ports, 128);
  assert.equal(found!.contacts, 128);
  assert.ok(Math.abs(found!.sources - 128) < 8, String(found!.sources));
  assert.equal(found!.sample.length, 32);
  assert.equal(found!.sample.at(-1)!.port, 128);
  assert.ok(found!.sample[0]!.atMs < found!.sample[31]!.atMs);
});

test("a swarm at one port, noise that comes back to the same ports, and a few busy sources are no pattern", () => {
  const swarm = watcher();
  for (let i = 0; i < 50_000; i++) swarm.contact(i, 6_881, 1_000_000 + i);
  assert.equal(swarm.told.length, 0);
  const noise = watcher();
  for (let i = 0; i < 5_000; i++) {
    const port = i % 2 === 0 ? 1 + (i % 40) : Math.imul(i, 0x9e37_79b1) >>> 17;
    noise.contact(i, port, 1_000_000 + i);
  }
  assert.equal(noise.told.length, 0);
  const habit = watcher();
  for (let i = 0; i < 20_000; i++) habit.contact(i, 1 + (i % 100), 1_000_000 + i);
  assert.equal(habit.told.length, 0);
  const few = watcher();
  for (let i = 0; i < 2_000; i++) few.contact(i % 20, 1 + i, 1_000_000 + i);
  assert.equal(few.told.length, 0);
});

test("of a source that goes on, only the first two contacts count: it is told by itself", () => {
  const w = watcher();
  for (let source = 0; source < 60; source++)
    for (let nth = 1; nth <= 4; nth++) w.contact(source, source * 4 + nth, 1_000_000, nth);
  assert.equal(w.told.length, 0);
});

test("what is spread over hours stays below", () => {
  const w = watcher();
  for (let i = 0; i < 1_000; i++) w.contact(i, 1 + i, 1_000_000 + i * 10_000);
  assert.equal(w.told.length, 0);
});

test("whatever fits into half the time is seen wherever it falls", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5_000_000 }), (offsetMs) => {
      const w = watcher();
      w.contact(1, 1, 1_000_000);
      for (let i = 0; i < 200; i++) w.contact(1_000 + i, 100 + i, 1_000_000 + offsetMs + i * 1_400);
      assert.equal(w.told.length, 1);
    }),
    { numRuns: RUNS },
  );
});

test("a forged flood over all ports is told four times, not at every packet, and again after an hour", () => {
  const w = watcher();
  const flood = (startMs: number): void => {
    for (let i = 0; i < 200_000; i++)
      w.contact(Math.imul(i, 0x9e37_79b1) >>> 0, i & 0xffff, startMs + i / 100);
  };
  flood(1_000_000);
  const first = w.told.length;
  assert.ok(first >= 3 && first <= 4, String(first));
  flood(1_000_000 + HOUR_MS * 2);
  assert.equal(w.told.length, first * 2);
});

test("no ports means never, and a clock that is set back begins anew", () => {
  const off = watcher({ ...THRESHOLDS, ports: 0 });
  for (let i = 0; i < 1_000; i++) off.contact(i, 1 + i, 1_000_000);
  assert.equal(off.told.length, 0);
  const w = watcher();
  for (let i = 0; i < 100; i++) w.contact(i, 1 + i, 9_000_000_000);
  for (let i = 0; i < 100; i++) w.contact(1_000 + i, 1_000 + i, 1_000_000);
  assert.equal(w.told.length, 0);
  for (let i = 0; i < 100; i++) w.contact(2_000 + i, 2_000 + i, 1_000_001);
  assert.equal(w.told.length, 1);
});
