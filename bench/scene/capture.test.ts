import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { readSegments, silenceAfterKth, whatWasLearned } from "./capture.ts";

const HOST = "198.51.100.1";
const STRANGER = "198.51.100.2";
const SYN = 0x02;
const SYN_ACK = 0x12;
const RST_ACK = 0x14;

// One Ethernet frame with IPv4 and TCP headers and nothing else, and its pcap record header.
function record(atMs: number, from: string, to: string, hostPort: number, flags: number): Buffer {
  const frame = Buffer.alloc(54);
  frame.writeUInt16BE(0x0800, 12);
  frame[14] = 0x45;
  frame[23] = 6;
  frame.set(from.split(".").map(Number), 26);
  frame.set(to.split(".").map(Number), 30);
  frame.writeUInt16BE(from === HOST ? hostPort : 40_000, 34);
  frame.writeUInt16BE(from === HOST ? 40_000 : hostPort, 36);
  frame[47] = flags;
  const header = Buffer.alloc(16);
  header.writeUInt32LE(1_000 + Math.floor(atMs / 1_000), 0);
  header.writeUInt32LE((atMs % 1_000) * 1_000, 4);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, frame]);
}

function capture(t: test.TestContext, records: readonly Buffer[]): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-bench-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt32LE(1, 20);
  writeFileSync(join(dir, "pcap"), Buffer.concat([header, ...records]));
  return join(dir, "pcap");
}

const probe = (atMs: number, port: number) => record(atMs, STRANGER, HOST, port, SYN);
const answer = (atMs: number, port: number, flags: number) => record(atMs, HOST, STRANGER, port, flags);

test("counts what answered, once for each port, and when the host fell silent", (t) => {
  const path = capture(t, [
    probe(0, 80),
    answer(1, 80, SYN_ACK),
    probe(2, 81),
    answer(3, 81, RST_ACK),
    probe(4, 82),
    answer(5, 82, RST_ACK),
    probe(6, 22),
    answer(9, 22, SYN_ACK),
    probe(10, 443),
    answer(1_001, 80, SYN_ACK),
    record(12, "203.0.113.9", STRANGER, 5, SYN_ACK),
  ]);
  const learned = whatWasLearned(readSegments(path, HOST), new Set([22, 80, 443]), 2);
  assert.deepEqual(learned, {
    learned: 2,
    answered: 4,
    untilSilentMs: 9,
    afterKthMs: 5,
    oracle: 1,
    probes: 5,
  });
});

test("tells sources apart when it asks how soon each was met with silence", (t) => {
  const other = "203.0.113.9";
  const path = capture(t, [
    probe(0, 81),
    answer(1, 81, RST_ACK),
    record(2, other, HOST, 81, SYN),
    record(3, HOST, other, 81, RST_ACK),
    probe(4, 82),
    answer(5, 82, RST_ACK),
    probe(6, 83),
    answer(7, 83, RST_ACK),
    record(8, other, HOST, 82, SYN),
    record(9, "203.0.113.10", HOST, 82, SYN),
  ]);
  assert.deepEqual(silenceAfterKth(readSegments(path, HOST), 2), [3, 0]);
});

test("a capture that was cut off in the middle of a packet ends before it", (t) => {
  const whole = capture(t, [probe(0, 80), probe(1, 81)]);
  assert.equal(readSegments(whole, HOST).length, 2);
  const cut = capture(t, [probe(0, 80), probe(1, 81).subarray(0, 30)]);
  assert.equal(readSegments(cut, HOST).length, 1);
});

test("what is no capture is refused by name", (t) => {
  const path = capture(t, []);
  writeFileSync(path, "no capture");
  assert.throws(() => readSegments(path, HOST), /wants a little-endian pcap file/);
});
