import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { isUnused, readArrivals, untilUnused, whenNoticed } from "./arrivals.ts";

const TCP = 6;

function frame4(source: readonly number[], port: number, flags: number, fragment = 0): Buffer {
  const frame = Buffer.alloc(14 + 20 + 20);
  frame.writeUInt16BE(0x0800, 12);
  frame[14] = 0x45;
  frame.writeUInt16BE(fragment, 14 + 6);
  frame[14 + 9] = TCP;
  frame.set(source, 14 + 12);
  frame.writeUInt16BE(port, 34 + 2);
  frame[34 + 13] = flags;
  return frame;
}

function frame6(port: number): Buffer {
  const frame = Buffer.alloc(14 + 40 + 20);
  frame.writeUInt16BE(0x86dd, 12);
  frame[14 + 6] = TCP;
  frame.writeUInt16BE(0x2001, 14 + 8);
  frame[14 + 8 + 15] = 9;
  frame.writeUInt16BE(port, 14 + 40 + 2);
  frame[14 + 40 + 13] = 2;
  return frame;
}

function capture(frames: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt32LE(1, 20);
  const records = frames.map((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_000, 0);
    record.writeUInt32LE(index * 1_000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([header, ...records]);
}

test("first fragments and IPv6 count, later fragments and resets do not", () => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-arrivals-"));
  try {
    const path = join(dir, "x.pcap");
    const frames = [
      frame4([192, 0, 2, 7], 80, 0x02),
      frame4([192, 0, 2, 7], 80, 0x04),
      frame4([192, 0, 2, 7], 80, 0x02, 3),
      frame4([192, 0, 2, 7], 81, 0x3f),
      frame6(443),
    ];
    writeFileSync(path, capture(frames));
    assert.deepEqual(readArrivals(path), [
      { atMs: 1_000_000, source: "192.0.2.7", what: "6/80" },
      { atMs: 1_000_003, source: "192.0.2.7", what: "6/81" },
      { atMs: 1_000_004, source: "2001:0:0:0:0:0:0:9", what: "6/443" },
    ]);
    writeFileSync(path, "no capture");
    assert.throws(() => readArrivals(path), /wants a little-endian pcap/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("ports are counted once, up to the alarm; an alarm after the end says how late it was", () => {
  const arrivals = [1, 2, 2, 3].map((port, index) => ({ atMs: index, source: "a", what: `6/${port}` }));
  const order = ["6/1", "6/2", "6/3"];
  assert.deepEqual(whenNoticed(arrivals, 2), { sent: 3, order, until: 2, lateMs: 0 });
  assert.deepEqual(whenNoticed(arrivals, 10), { sent: 3, order, until: 3, lateMs: 7 });
  assert.deepEqual(whenNoticed(arrivals, null), { sent: 3, order, until: null, lateMs: 0 });
});

test("the limit is the k-th port that nothing uses, however many open ones lie between", () => {
  const order = ["6/80", "6/1", "17/80", "6/22", "6/80", "47", "6"];
  assert.deepEqual(
    order.map((what) => isUnused(what, [22, 80])),
    [false, true, true, false, false, true, false],
  );
  assert.deepEqual(
    [1, 2, 3, 4].map((k) => untilUnused(order, [22, 80], k)),
    [2, 3, 6, 7],
  );
});
