// What adds up to a scan, in which words and with which grade it is told.
import assert from "node:assert/strict";
import test from "node:test";
import { PrefixSet, parsePrefix } from "../core/address.ts";
import type { DistributedScan } from "../core/events.ts";
import { craft } from "./craft.ts";
import { LocalAddresses } from "./local.ts";
import { ACK, at, bench, HOST4, STRANGER4, SYN } from "./testing/engine-bench.ts";

test("four different closed ports are a vertical scan, told once with its evidence", (t) => {
  const b = bench(t);
  for (const port of [22, 23, 25, 110, 111, 112]) b.send({ port });
  assert.equal(b.scans.length, 1);
  const scan = b.scans[0]!;
  assert.equal(scan.source, STRANGER4);
  assert.equal(scan.shape, "vertical");
  assert.equal(scan.grade, "spoofable");
  assert.deepEqual(
    scan.probes.map(({ kind, port, protocol, target, interface: name }) => [
      kind,
      port,
      protocol,
      target,
      name,
    ]),
    [22, 23, 25, 110].map((port) => ["syn", port, "tcp", HOST4, "eth1"]),
  );
  assert.match(scan.reason, /4 first contacts failed, 0 succeeded: likelihood ratio 256 over 99/);
});

test("a scan of one port a day adds up like a fast one", (t) => {
  const b = bench(t);
  for (const port of [22, 23, 25, 110]) {
    b.send({ port });
    b.nowS += 86_400;
  }
  assert.equal(b.scans.length, 1);
});

test("one packet with flags that no stack sends is enough, even to a port in use", (t) => {
  for (const [flags, kind] of [
    [0, "null"],
    [1, "fin"],
    [0x29, "xmas"],
    [SYN | 1, "flags"],
    [SYN | 4, "flags"],
    [8, "flags"],
  ] as const) {
    const b = bench(t);
    b.send({ port: 80, flags });
    assert.equal(b.scans.length, 1, kind);
    assert.equal(b.scans[0]!.shape, "flags");
    assert.equal(b.scans[0]!.probes[0]!.kind, kind);
  }
});

test("a first fragment that is too short for its header is told as that, with the flags if it has them", (t) => {
  for (const [bytes, flags] of [
    [8, "hidden in a later fragment"],
    [16, "SYN"],
  ] as const) {
    const b = bench(t);
    const frame = craft({ source: STRANGER4, target: HOST4, port: 80, atMs: b.nowS * 1_000 });
    // More fragments to come (RFC 791).
    const view = new DataView(frame.bytes.buffer, frame.bytes.byteOffset);
    view.setUint16(2, 20 + bytes);
    view.setUint16(6, 0x2000);
    frame.end = frame.wireLength = 20 + bytes;
    b.engine.observe(frame);
    assert.equal(b.scans[0]!.reason, "a first fragment that is too short to hold a TCP header");
    assert.equal(b.scans[0]!.probes[0]!.flags, flags);
  }
});

test("ACK and FIN|ACK to ports nobody has need six different ones", (t) => {
  for (const flags of [ACK, ACK | 1]) {
    const b = bench(t);
    for (const port of [100, 101, 102, 103, 104]) b.send({ port, flags });
    assert.equal(b.scans.length, 0);
    b.send({ port: 105, flags });
    assert.equal(b.scans.length, 1);
  }
});

test("two hundred sources that try a port each, no port twice, are told as one pattern and none is accused", (t) => {
  const patterns: DistributedScan[] = [];
  const b = bench(t, { onDistributed: (scan) => patterns.push(scan) });
  for (let i = 0; i < 200; i++) b.send({ source: at(`198.51.100.${i}`), port: 1_000 + i });
  assert.equal(b.scans.length, 0);
  assert.equal(patterns.length, 1);
  const [scan] = patterns;
  assert.equal(scan!.ports, 128);
  assert.equal(scan!.probes.length, 32);
  assert.equal(new Set(scan!.probes.map(({ source }) => source)).size, 32);
  assert.equal(b.engine.counters.distributed, 1);
});

test("a port counts as in use only at the address it is in use on", (t) => {
  const b = bench(t);
  b.sockets([22, 23, 25, 110].map((port) => ({ local: "127.0.0.1", port })));
  for (const port of [22, 23, 25, 110]) b.send({ port });
  assert.equal(b.scans.length, 0, "the ten minutes of grace go by port, not by address");
  const c = bench(t);
  c.sockets([{ local: "192.0.2.1", port: 8080 }]);
  c.send({ port: 8080 });
  assert.equal(c.engine.counters.inUse, 1);
});

test("live connections to what is served make a source less suspect and its evidence proven", (t) => {
  const b = bench(t);
  b.sockets([
    { local: "0.0.0.0", port: 80 },
    { local: "192.0.2.1", port: 80, remote: STRANGER4, state: "established" },
  ]);
  b.send({ port: 80, sourcePort: 5555 });
  for (const port of [22, 23, 25, 110]) b.send({ port });
  assert.equal(b.scans.length, 0);
  b.send({ port: 111 });
  assert.equal(b.scans.length, 1);
  assert.equal(b.scans[0]!.grade, "proven");
  assert.match(b.scans[0]!.reason, /5 first contacts failed, 1 succeeded/);
});

test("where visits are only sampled, the kernel is asked who is connected before the verdict", (t) => {
  const b = bench(t);
  b.sockets([
    { local: "0.0.0.0", port: 80 },
    { local: "192.0.2.1", port: 80, remote: STRANGER4, state: "established" },
    { local: "192.0.2.1", port: 40_000, remote: STRANGER4, state: "established" },
  ]);
  b.send({ source: at("198.51.100.9"), port: 80 });
  b.engine.setSampled(2);
  for (const port of [22, 23, 25, 110]) b.send({ port });
  assert.equal(b.scans.length, 0);
  b.send({ port: 111 });
  assert.equal(b.scans[0]!.grade, "proven");
  assert.match(
    b.scans[0]!.reason,
    /5 first contacts failed, 1 succeeded/,
    "our own connection to him is none",
  );
});

test("a SYN to what is served proves nothing unless the handshake was completed", (t) => {
  const b = bench(t);
  b.send({ port: 80, sourcePort: 5555 });
  for (const port of [22, 23, 25, 110]) b.send({ port });
  assert.equal(b.scans.length, 1);
  assert.equal(b.scans[0]!.grade, "spoofable");
  b.sockets([
    { local: "0.0.0.0", port: 80 },
    { local: "192.0.2.1", port: 80, remote: STRANGER4, state: "established" },
  ]);
  b.send({ port: 80, sourcePort: 5555 });
  b.nowS += 1;
  b.send({ port: 111 });
  assert.equal(b.scans.length, 2);
  assert.equal(b.scans[1]!.grade, "proven");
  assert.match(b.scans[1]!.reason, /completed a handshake/);
});

test("the same port on several addresses takes six of them", (t) => {
  const locals = new LocalAddresses();
  for (let i = 1; i <= 10; i++) locals.add(at(`192.0.2.${i}`));
  const b = bench(t, { locals });
  for (let i = 1; i <= 4; i++) b.send({ port: 443, target: at(`192.0.2.${i}`) });
  assert.equal(b.scans.length, 0, "a browser tries every address of a name");
  for (let i = 5; i <= 10; i++) b.send({ port: 443, target: at(`192.0.2.${i}`) });
  assert.equal(b.scans.length, 1);
  assert.equal(b.scans[0]!.shape, "horizontal");
});

test("one touch of a tripwire port is enough; excluded ports and ignored sources never count", (t) => {
  const b = bench(t, {
    tripwirePorts: [23],
    excludePorts: [113, 137, 138, 139],
    ignore: new PrefixSet([parsePrefix("203.0.113.0/24")!, parsePrefix("2001:db8:5::/48")!]),
  });
  for (const port of [113, 137, 138, 139]) b.send({ port });
  for (const port of [1, 2, 3, 4, 23]) {
    b.send({ port, source: at("203.0.113.9") });
    b.send({ port, source: at("2001:db8:5:9::1") });
  }
  assert.equal(b.scans.length, 0);
  b.send({ port: 23 });
  assert.equal(b.scans[0]!.shape, "tripwire");
});

test("traffic for other hosts that passes through is not ours to judge", (t) => {
  const b = bench(t);
  for (let port = 1; port < 20; port++) b.send({ port, target: at("192.0.2.99") });
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.notOurs, 19);
});

test("a scanner that goes on is told again after an hour", (t) => {
  const b = bench(t);
  for (const port of [1, 2, 3, 4]) b.send({ port });
  b.nowS += 3_000;
  b.send({ port: 1 });
  assert.equal(b.scans.length, 1);
  b.nowS += 700;
  b.send({ port: 1 });
  assert.equal(b.scans.length, 2);
  assert.match(b.scans[1]!.reason, /still at it/);
});

test("after its block expired one more probe is a scan, after a pardon it is a stranger again", (t) => {
  const b = bench(t);
  for (const port of [1, 2, 3, 4]) b.send({ port });
  const words = [0xc633_6407, 0, 0, 0] as const;
  b.engine.release(4, words, true);
  b.send({ port: 80 });
  assert.equal(b.scans.length, 1);
  b.send({ port: 5 });
  assert.equal(b.scans.length, 2);
  b.engine.release(4, words, false);
  for (const port of [6, 7, 8]) b.send({ port });
  assert.equal(b.scans.length, 2);
  b.send({ port: 9 });
  assert.equal(b.scans.length, 3);
});

test("a scan that could not be told is told at the next probe that can", (t) => {
  const b = bench(t);
  b.accept = false;
  for (const port of [1, 2, 3, 4]) b.send({ port });
  b.accept = true;
  b.send({ port: 5 });
  assert.equal(b.scans.length, 1);
});

test("echo requests to one address are no sweep, to dozens they are", (t) => {
  const locals = new LocalAddresses();
  for (let i = 1; i <= 100; i++) locals.add(at(`192.0.2.${i}`));
  const b = bench(t, { locals });
  for (let i = 0; i < 100; i++) b.send({ protocol: 1, flags: 8 });
  assert.equal(b.scans.length, 0);
  for (let i = 1; i <= 100; i++) b.send({ protocol: 1, flags: 8, target: at(`192.0.2.${i}`) });
  assert.equal(b.scans.length, 1);
  assert.equal(b.scans[0]!.shape, "sweep");
});

test("a scan of IP protocols is seen", (t) => {
  const b = bench(t);
  for (const protocol of [3, 77, 100, 200]) b.send({ protocol });
  assert.equal(b.scans.length, 1);
  assert.deepEqual(
    b.scans[0]!.probes.map(({ kind, port, protocol }) => [kind, port, protocol]),
    [3, 77, 100, 200].map((port) => ["protocol", port, "ip"]),
  );
});
