// Who looks like a scanner to somebody who only counts packets, and is none; and beside each, who does the same on purpose.
import assert from "node:assert/strict";
import test from "node:test";
import type { DistributedScan } from "../core/events.ts";
import { craft } from "./craft.ts";
import { ACK, at, bench, HOST4, STRANGER4, STRANGER6, SYN } from "./testing/engine-bench.ts";

test("the visitor who types https:// where only http is served is no scan, however often he tries", (t) => {
  const b = bench(t);
  for (let tries = 0; tries < 10; tries++) {
    for (let attempt = 0; attempt < 4; attempt++) {
      b.send({ port: 443, sourcePort: 50_000 + tries * 4 + attempt });
      b.send({ port: 443, sourcePort: 50_000 + tries * 4 + attempt, source: STRANGER6 });
      b.send({ port: 443, protocol: 17 });
      b.nowS += 1;
    }
    b.send({ port: 80 });
  }
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.inUse, 10);
});

test("a service that goes on with connections which this host has forgotten is no scanner", (t) => {
  const b = bench(t);
  for (const [sourcePort, flags] of [
    [443, ACK | 8],
    [5_432, ACK | 1],
    [30_000, ACK],
  ] as const)
    for (let n = 0; n < 200; n++) b.send({ sourcePort, port: 33_000 + n * 100, flags });
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.answers, 600);
});

test("whoever asks ports of services by ACKs is a scanner, from whichever port he does", (t) => {
  for (const sourcePort of [443, 40_000]) {
    const b = bench(t);
    for (let port = 1; port <= 40; port++) b.send({ sourcePort, port, flags: ACK });
    assert.equal(b.scans.length, 1);
  }
  const b = bench(t);
  for (let port = 33_000; port <= 33_040; port++) b.send({ sourcePort: 40_000, port, flags: ACK });
  assert.equal(b.scans.length, 1, "of ephemeral ports, too, from a port that no service has");
});

test("an NFS server that goes on with our forgotten connections is no scanner, and port 2049 excuses nothing else", (t) => {
  const b = bench(t);
  for (let n = 0; n < 16; n++) b.send({ sourcePort: 2_049, port: 1_023 - n, flags: ACK });
  assert.equal(b.scans.length, 0);
  for (let port = 1; port <= 40; port++) b.send({ sourcePort: 2_049, port, flags: ACK });
  assert.equal(b.scans.length, 1);
});

test("after a question to everybody answers may come from anywhere to the port that asked, and to no other", (t) => {
  const b = bench(t);
  const ask = { sent: true, protocol: 17, source: HOST4, target: at("239.255.255.250"), port: 1_900 };
  for (let sourcePort = 40_000; sourcePort < 40_020; sourcePort++) b.send({ ...ask, sourcePort });
  for (let port = 40_000; port < 40_020; port++) b.send({ protocol: 17, sourcePort: 45_000, port });
  assert.equal(b.engine.counters.answers, 20);
  assert.equal(b.scans.length, 0);
  for (let port = 41_000; port < 41_004; port++) b.send({ protocol: 17, sourcePort: 45_000, port });
  assert.equal(b.scans.length, 1);
});

test("what mtr sends arrives on its last hop; a scan of the same ports from anywhere else is one", (t) => {
  const b = bench(t);
  for (let port = 34_000; port < 34_200; port++) b.send({ protocol: 17, port, hops: 1 });
  assert.equal(b.scans.length, 0);
  for (let port = 34_000; port < 34_004; port++) b.send({ protocol: 17, port, hops: 50 });
  assert.equal(b.scans.length, 1);
});

test("what went to everybody is nobody's probe, also where a recording has it", (t) => {
  const b = bench(t);
  for (let port = 1; port < 50; port++)
    for (const direction of [1, 2, 3])
      b.engine.observe({ ...craft({ source: STRANGER4, target: HOST4, port }), direction });
  assert.deepEqual([b.scans.length, b.engine.counters.notOurs], [0, 147]);
});

test("whoever scans all ports is a scanner, from the fourth closed one on", (t) => {
  const b = bench(t);
  for (let port = 1; port <= 65_535; port++) b.send({ port, sourcePort: 50_000 });
  assert.deepEqual(
    b.scans[0]!.probes.map(({ port }) => port),
    [1, 2, 3, 4],
  );
  assert.equal(
    b.engine.counters.scans,
    3,
    "told again at a hundred and at a thousand ports, and that is all",
  );
});

test("an office that mistypes one port every other month is no scanner", (t) => {
  const b = bench(t);
  for (let month = 0; month < 24; month++) {
    b.send({ port: 1_000 + month });
    b.nowS += 45 * 86_400;
  }
  assert.equal(b.scans.length, 0);
});

test("two hundred clients behind one address, each with a wrong https, are no scanner", (t) => {
  const b = bench(t);
  const live = { local: "192.0.2.1", port: 80, remote: STRANGER4, state: "established" } as const;
  b.sockets([{ local: "0.0.0.0", port: 80 }, live]);
  for (let client = 0; client < 200; client++) {
    b.send({ port: 80, sourcePort: 5_555 });
    b.send({ port: 443, sourcePort: 20_000 + client });
    b.send({ port: 8_080 + (client % 3), sourcePort: 30_000 + client });
  }
  assert.equal(b.scans.length, 0);
});

test("a scanner among two hundred clients behind one address is found all the same", (t) => {
  const b = bench(t);
  const live = { local: "192.0.2.1", port: 80, remote: STRANGER4, state: "established" } as const;
  b.sockets([{ local: "0.0.0.0", port: 80 }, live]);
  for (let client = 0; client < 200; client++) b.send({ port: 80, sourcePort: 5_555 });
  for (let port = 1; port <= 20; port++) b.send({ port, sourcePort: 60_000 });
  assert.equal(b.scans.length, 1);
  assert.equal(b.scans[0]!.grade, "proven");
});

test("ports that answer for somebody behind this host are served, though nothing here listens on them", (t) => {
  const b = bench(t);
  for (const port of [8_001, 8_002, 8_003, 8_004, 8_005]) {
    b.send({ port });
    b.send({
      sent: true,
      source: HOST4,
      target: STRANGER4,
      sourcePort: port,
      port: 40_000,
      flags: SYN | ACK,
    });
  }
  assert.equal(b.scans.length, 0);
});

test("a crowd that is served by somebody behind this host may mistype, also while only a sample of its visits is seen", (t) => {
  for (const oneIn of [1, 2, 8]) {
    const b = bench(t);
    const answer = { sent: true, source: HOST4, target: STRANGER4, sourcePort: 8_001, flags: SYN | ACK };
    b.send({ source: STRANGER6, port: 8_001 });
    b.send({ ...answer, port: 40_000 });
    b.engine.setSampled(oneIn);
    for (let visit = 0; visit < 8 / oneIn; visit++) b.send({ port: 8_001, sourcePort: 41_000 + visit });
    for (let port = 9_000; port < 9_005; port++) b.send({ port });
    assert.equal(b.scans.length, 0, `one in ${oneIn}`);
    for (let port = 9_005; port < 9_010; port++) b.send({ port });
    assert.equal(b.scans.length, 1, "but a scan is one");
  }
});

test("a retransmission storm to a dead service is one contact", (t) => {
  const b = bench(t);
  for (let i = 0; i < 5_000; i++)
    b.send({ port: 3_306, flags: i % 2 === 0 ? 0x18 : 0x11, sourcePort: 50_000 + (i % 100) });
  assert.equal(b.scans.length, 0);
  for (let i = 0; i < 5_000; i++) b.send({ port: 3_306, sourcePort: 50_000 + (i % 100) });
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.repeats, 9_999);
});

test("a monitoring host that knocks on every served port, and pings, is no scanner", (t) => {
  const b = bench(t);
  const ports = Array.from({ length: 50 }, (_, i) => 1_000 + i);
  b.sockets(ports.map((port) => ({ local: "0.0.0.0", port })));
  for (let round = 0; round < 20; round++) {
    for (const port of ports) b.send({ port });
    b.send({ protocol: 1, flags: 8 });
    b.send({ port: 443 });
    b.nowS += 60;
  }
  assert.equal(b.scans.length, 0);
});

test("a town of telephones in one /48 that all want the same closed port is no scan", (t) => {
  const b = bench(t);
  for (let i = 0; i < 2_000; i++)
    b.send({ port: 443 + (i % 5), source: at(`2001:db8:99:${i.toString(16)}::1`) });
  assert.equal(b.scans.length, 0);
});

test("answers, resets and ICMP errors are no probes", (t) => {
  const b = bench(t);
  for (let port = 1; port < 50; port++) {
    b.send({ port, flags: SYN | ACK });
    b.send({ port, flags: 4 });
    b.send({ port, flags: 4 | ACK });
    b.send({ protocol: 1, flags: 3 });
    b.send({ protocol: 1, flags: 0 });
  }
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.probes, 0);
});

test("answers to datagrams this host sent are no probes, late ones are weak evidence", (t) => {
  const b = bench(t);
  for (let port = 40_000; port < 40_100; port++) {
    b.send({
      sent: true,
      protocol: 17,
      source: HOST4,
      target: STRANGER4,
      sourcePort: port,
      port: 53,
    });
    b.send({ protocol: 17, sourcePort: 53, port });
  }
  assert.equal(b.engine.counters.answers, 100);
  for (let port = 50_000; port < 50_020; port++) b.send({ protocol: 17, sourcePort: 53, port });
  assert.equal(b.scans.length, 0);
  for (let port = 50_020; port < 50_200; port++) b.send({ protocol: 17, sourcePort: 53, port });
  assert.ok(b.scans.length > 0, "a scan that hides behind source port 53 is seen all the same");
});

test("a traceroute is no scan, whether it asks by UDP, by ping or for a port that is served", (t) => {
  const b = bench(t);
  for (let hop = 1; hop <= 30; hop++) {
    for (let query = 0; query < 3; query++) {
      b.send({ protocol: 17, port: 33_434 + hop * 3 + query, hops: hop });
      b.send({ protocol: 1, flags: 8, hops: hop });
      b.send({ port: 80, hops: hop, sourcePort: 40_000 + hop * 3 + query });
    }
  }
  assert.equal(b.scans.length, 0);
});

test("a BitTorrent swarm of twenty thousand that all ask for one closed port is no scan and no pattern", (t) => {
  const patterns: DistributedScan[] = [];
  const b = bench(t, { onDistributed: (scan) => patterns.push(scan) });
  for (let peer = 0; peer < 20_000; peer++) {
    const source = at(`203.${peer >>> 14}.${(peer >>> 8) & 63}.${peer & 255}`);
    for (const protocol of [6, 17, 6]) b.send({ source, port: 6881, protocol });
  }
  assert.deepEqual([b.scans.length, patterns.length], [0, 0]);
});

test("peers that come back to ports this host used for its own connections are no pattern", (t) => {
  const patterns: DistributedScan[] = [];
  const b = bench(t, { onDistributed: (scan) => patterns.push(scan) });
  for (let i = 0; i < 250; i++) b.send({ source: at(`198.51.100.${i}`), port: 40_000 + i });
  assert.deepEqual([b.scans.length, patterns.length], [0, 0]);
});

test("ports of services that restart are no evidence for ten minutes", (t) => {
  const b = bench(t);
  const served = [80, 443, 8080, 8443, 9090].map((port) => ({ local: "0.0.0.0", port }));
  b.sockets(served);
  for (const { port } of served) b.send({ port });
  b.sockets([]);
  for (const { port } of served) b.send({ port });
  assert.equal(b.scans.length, 0);
  b.nowS += 601;
  for (const { port } of served) b.send({ port });
  assert.equal(b.scans.length, 1);
});

test("a service that starts while its first visitors come is noticed before the verdict", (t) => {
  const b = bench(t);
  for (const port of [3000, 3001, 3002]) b.send({ port });
  b.sockets([3000, 3001, 3002, 3003].map((port) => ({ local: "0.0.0.0", port })));
  for (const port of [3003, 3004]) b.send({ port });
  assert.equal(b.scans.length, 0);
});
