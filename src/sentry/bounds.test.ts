// What strangers choose, MANY addresses above all, neither grows our memory nor hides a scanner who is known.
import assert from "node:assert/strict";
import test from "node:test";
import { craft } from "./craft.ts";
import { BYTES_PER_SOURCE } from "./suspects.ts";
import { at, bench, HOST4, HOST6, STATE_BYTES, STRANGER4, STRANGER6 } from "./testing/engine-bench.ts";

// The whole million takes a second or two.
const MANY = Number(process.env["TELLTALE_RUNS"] ?? 1) > 1 ? 1_000_000 : 200_000;

test("a scan spread over the networks of a /48, one probe each, is seen and then stopped at every first probe", (t) => {
  const b = bench(t);
  for (let i = 0; i < 200; i++) b.send({ port: 1_000 + i, source: at(`2001:db8:88:${i.toString(16)}::1`) });
  assert.ok(b.scans.length > 120, `${b.scans.length} scans`);
  assert.match(b.scans[0]!.reason, /of its \/48 that scan together/);
  b.send({ port: 443, source: at("2001:db8:89:1::1") });
  assert.ok(b.scans.every(({ source }) => source.startsWith("2001:db8:88:")));
});

test("an IPv6 scanner that changes its address within its /64 is one source", (t) => {
  const b = bench(t);
  for (const port of [22, 23, 25, 110]) b.send({ port, source: at(`2001:db8:77::${port}`) });
  assert.equal(b.scans.length, 1);
  assert.equal(b.scans[0]!.source, "2001:db8:77::110");
});

test("neighbours on a link share a prefix but not their guilt", (t) => {
  const b = bench(t);
  for (const port of [22, 23, 25, 110]) b.send({ port, source: at(`fe80::${port}`) });
  assert.equal(b.scans.length, 0);
});

test("forged sources that no packet can have are counted and nothing else", (t) => {
  const b = bench(t);
  for (const source of ["0.0.0.0", "224.0.0.5", "255.255.255.255", "127.0.0.1", "240.1.2.3"]) {
    for (const port of [1, 2, 3, 4, 5]) b.send({ port, source: at(source) });
  }
  for (const source of ["::", "::1", "ff02::1"]) {
    for (const port of [1, 2, 3, 4, 5]) b.send({ port, source: at(source) });
  }
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.impossibleSources, 40);
});

test("a known scanner costs a counter, and is told again at a hundred and a thousand contacts", (t) => {
  const b = bench(t);
  for (let port = 1; port <= 20_000; port++) b.send({ port: port === 80 ? 81 : port });
  assert.equal(b.scans.length, 3);
  assert.ok(b.scans[1]!.distinct >= 95 && b.scans[1]!.distinct <= 105);
  assert.ok(b.scans[2]!.distinct >= 950 && b.scans[2]!.distinct <= 1_050);
  assert.equal(b.engine.suspects.size, 1);
});

test("what was held against a source is held against it after a restart", (t) => {
  const before = bench(t);
  for (const port of [1, 2, 3]) {
    before.send({ port });
    before.send({ port, source: STRANGER6 });
  }
  for (const port of [1, 2, 3, 4]) before.send({ port, source: at("198.51.100.8") });
  const saved = before.engine.save();
  const after = bench(t);
  assert.equal(after.engine.recall(saved), 3);
  for (const port of [1, 2, 3]) after.send({ port });
  assert.equal(after.scans.length, 0, "repeats");
  after.send({ port: 4 });
  after.send({ port: 4, source: STRANGER6 });
  after.send({ port: 5, source: at("198.51.100.8") });
  assert.deepEqual(
    after.scans.map(({ source, probes }) => [source, probes.map(({ port }) => port)]),
    [
      [STRANGER4, [1, 2, 3, 4]],
      [STRANGER6, [1, 2, 3, 4]],
    ],
    "the one that was told before is not told again",
  );
});

test("a saved memory that is damaged is taken for none, whatever is in it", (t) => {
  const b = bench(t);
  for (const port of [1, 2, 3]) b.send({ port });
  const saved = b.engine.save();
  for (const [damaged, sources] of [
    ["", 0],
    ["null", 0],
    [saved.slice(0, -5), 0],
    [saved.replace('"version":1', '"version":2'), 0],
    [saved.replace(STRANGER4, "nonsense"), 0],
    [saved.replace('"port":1', '"port":65536'), 0],
    [saved.replace('"state":0', '"state":9'), 0],
    [saved.replace(/"atMs":[0-9.]+/, '"atMs":null'), 0],
    [saved.replace(HOST4, "2001:db8::1"), 0],
    [saved, 1],
  ] as const)
    assert.equal(bench(t).engine.recall(damaged), sources, damaged.slice(0, 80));
});

test("a source with a whole /64 to play with is one source, however many addresses it takes", (t) => {
  const b = bench(t);
  const frame = craft({ source: STRANGER6, target: HOST6, port: 1 });
  const words = new DataView(frame.bytes.buffer);
  for (let i = 0; i < MANY / 10; i++) {
    words.setUint32(16, Math.imul(i, 0x9e37_79b1) >>> 0);
    words.setUint32(20, i);
    words.setUint16(42, 1 + (i % 1_000));
    b.engine.observe(frame);
  }
  assert.equal(b.engine.suspects.size, 1);
  assert.equal(b.engine.suspects.evicted, 0);
  assert.equal(new Set(b.scans.map(({ source }) => source.slice(0, 14))).size, 1);
});

test("a million forged /64s leave memory where it was, and who is known known", (t) => {
  const b = bench(t);
  for (const port of [1, 2, 3, 4]) b.send({ port, source: STRANGER6 });
  const frame = craft({ source: STRANGER6, target: HOST6, port: 443 });
  const words = new DataView(frame.bytes.buffer);
  for (let i = 0; i < MANY; i++) {
    // A /48 each: a site that probes as a whole is another story.
    words.setUint32(8, 0x2a00_0000 + (i >>> 8));
    words.setUint16(12, i & 0xff);
    b.engine.observe(frame);
  }
  const { suspects } = b.engine;
  assert.ok(suspects.capacity * BYTES_PER_SOURCE <= STATE_BYTES);
  assert.ok(b.engine.forgotten >= MANY - suspects.capacity);
  assert.equal(suspects.evictedScanners, 0);
  b.send({ port: 5, source: STRANGER6 });
  assert.equal(b.scans.length, 1, "not told anew");
});

test("a million forged sources leave memory where it was, and the known scanner known", (t) => {
  const b = bench(t);
  for (const port of [1, 2, 3, 4]) b.send({ port });
  const frame = craft({ source: STRANGER4, target: HOST4, port: 99 });
  const words = new DataView(frame.bytes.buffer);
  for (let i = 0; i < MANY; i++) {
    words.setUint32(12, 0x0b00_0000 + i);
    b.engine.observe(frame);
  }
  const { suspects } = b.engine;
  assert.equal(suspects.capacity, 8_192);
  assert.ok(suspects.capacity * BYTES_PER_SOURCE <= STATE_BYTES);
  assert.ok(suspects.size <= suspects.capacity);
  assert.ok(b.engine.forgotten >= MANY - suspects.capacity);
  assert.equal(suspects.evictedScanners, 0);
  b.send({ port: 5 });
  assert.equal(b.scans.length, 1, "not told anew");
});
