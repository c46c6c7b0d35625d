import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { type Address, PrefixSet, parseAddress, parsePrefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { DistributedScan, Scan } from "../core/events.ts";
import { type Craft, craft } from "./craft.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { Listeners } from "./listeners.ts";
import { LocalAddresses } from "./local.ts";
import { TextTables } from "./tables.ts";

const at = (text: string): Address => parseAddress(text)!;
const HOST4 = at("192.0.2.1");
const HOST6 = at("2001:db8::1");
const STRANGER4 = at("198.51.100.7");
const STRANGER6 = at("2001:db8:77::5");
const SYN = 2;
const ACK = 16;

type Bench = {
  engine: Engine;
  scans: Scan[];
  /** Replaces the socket tables: lines of local address, port, state and remote, for tcp and udp. */
  sockets(tcp: readonly Socket[], udp?: readonly Socket[]): void;
  send(wanted: Partial<Craft>): void;
  /** Seconds since the start, for both clocks. */
  nowS: number;
  accept: boolean;
};
type Socket = { local: string; port: number; remote?: string; state?: "listen" | "established" };

function bench(t: TestContext, options: Partial<EngineOptions> = {}): Bench {
  const root = mkdtempSync(join(tmpdir(), "tt-engine-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(root, { recursive: true });
  const clock: Clock = { now: () => new Date(made.nowS * 1_000), monotonicMs: () => made.nowS * 1_000 };
  const listeners = new Listeners(new TextTables(root), clock);
  const locals = new LocalAddresses();
  locals.add(HOST4);
  locals.add(HOST6);
  const scans: Scan[] = [];
  const made: Bench = {
    scans,
    nowS: 1_000_000,
    accept: true,
    sockets: (tcp, udp = []) => {
      writeFileSync(join(root, "tcp"), table(tcp));
      writeFileSync(join(root, "udp"), table(udp));
      made.nowS += 6;
    },
    send: (wanted) => {
      const source = wanted.source ?? STRANGER4;
      const target = wanted.target ?? (source.includes(":") ? HOST6 : HOST4);
      made.engine.observe(craft({ atMs: made.nowS * 1_000, ...wanted, source, target }));
    },
    engine: undefined as unknown as Engine,
  };
  made.sockets([{ local: "0.0.0.0", port: 80 }]);
  listeners.refresh();
  made.engine = new Engine({
    listeners,
    locals,
    clock,
    maxStateBytes: 1 << 20,
    seed: 7,
    nameOf: (index) => `eth${index}`,
    onScan: (scan) => {
      if (made.accept) scans.push(scan);
      return made.accept;
    },
    ...options,
  });
  return made;
}

function table(sockets: readonly Socket[]): string {
  const hex = (text: string): string =>
    text
      .split(".")
      .map((n) => Number(n).toString(16).padStart(2, "0"))
      .reverse()
      .join("")
      .toUpperCase();
  const port = (n: number): string => n.toString(16).padStart(4, "0").toUpperCase();
  const lines = [...sockets]
    .sort((a, b) => (a.state ?? "listen").localeCompare(b.state ?? "listen") * -1)
    .map(({ local, port: p, remote, state }, i) => {
      const code = state === "established" ? "01" : "0A";
      return `${String(i).padStart(4)}: ${hex(local)}:${port(p)} ${hex(remote ?? "0.0.0.0")}:${port(remote ? 5555 : 0)} ${code} 0`;
    });
  return `${["  sl  local_address rem_address   st", ...lines].join("\n")}\n`;
}

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

test("a retransmission storm to a dead service is one contact", (t) => {
  const b = bench(t);
  for (let i = 0; i < 5_000; i++)
    b.send({ port: 3_306, flags: i % 2 === 0 ? 0x18 : 0x11, sourcePort: 50_000 + (i % 100) });
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.repeats, 4_999);
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

test("a scan spread over the networks of a /48, one probe each, is seen and then stopped at every first probe", (t) => {
  const b = bench(t);
  for (let i = 0; i < 200; i++) b.send({ port: 1_000 + i, source: at(`2001:db8:88:${i.toString(16)}::1`) });
  assert.ok(b.scans.length > 120, `${b.scans.length} scans`);
  assert.match(b.scans[0]!.reason, /of its \/48 that scan together/);
  b.send({ port: 443, source: at("2001:db8:89:1::1") });
  assert.ok(b.scans.every(({ source }) => source.startsWith("2001:db8:88:")));
});

test("a town of telephones in one /48 that all want the same closed port is no scan", (t) => {
  const b = bench(t);
  for (let i = 0; i < 2_000; i++)
    b.send({ port: 443 + (i % 5), source: at(`2001:db8:99:${i.toString(16)}::1`) });
  assert.equal(b.scans.length, 0);
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

test("ACK and FIN|ACK to ports nobody has need six different ones", (t) => {
  for (const flags of [ACK, ACK | 1]) {
    const b = bench(t);
    for (const port of [100, 101, 102, 103, 104]) b.send({ port, flags });
    assert.equal(b.scans.length, 0);
    b.send({ port: 105, flags });
    assert.equal(b.scans.length, 1);
  }
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

test("a traceroute is no scan", (t) => {
  const b = bench(t);
  for (let hop = 1; hop <= 30; hop++) b.send({ protocol: 17, port: 33_434 + hop, hops: hop });
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.probes, 0);
});

test("a swarm that all asks for one closed port is no scan", (t) => {
  const b = bench(t);
  for (let peer = 1; peer < 250; peer++) {
    for (let again = 0; again < 5; again++)
      b.send({ source: at(`198.51.100.${peer}`), port: 6881, protocol: again % 2 === 0 ? 6 : 17 });
  }
  assert.equal(b.scans.length, 0);
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
  b.engine.setSampled(true);
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

test("traffic for other hosts that passes through is not ours to judge", (t) => {
  const b = bench(t);
  for (let port = 1; port < 20; port++) b.send({ port, target: at("192.0.2.99") });
  assert.equal(b.scans.length, 0);
  assert.equal(b.engine.counters.notOurs, 19);
});

test("a known scanner costs a counter, and is told again at a hundred and a thousand contacts", (t) => {
  const b = bench(t);
  for (let port = 1; port <= 20_000; port++) b.send({ port: port === 80 ? 81 : port });
  assert.equal(b.scans.length, 3);
  assert.ok(b.scans[1]!.distinct >= 95 && b.scans[1]!.distinct <= 105);
  assert.ok(b.scans[2]!.distinct >= 950 && b.scans[2]!.distinct <= 1_050);
  assert.equal(b.engine.suspects.size, 1);
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

test("a million forged sources leave memory where it was, and the known scanner known", (t) => {
  const b = bench(t);
  for (const port of [1, 2, 3, 4]) b.send({ port });
  const frame = craft({ source: STRANGER4, target: HOST4, port: 99 });
  const words = new DataView(frame.bytes.buffer);
  const many = Number(process.env["TELLTALE_RUNS"] ?? 1) > 1 ? 1_000_000 : 200_000;
  for (let i = 0; i < many; i++) {
    words.setUint32(12, 0x0b00_0000 + i);
    b.engine.observe(frame);
  }
  const { suspects } = b.engine;
  assert.equal(suspects.capacity, 8_192);
  assert.ok(suspects.size <= suspects.capacity);
  assert.ok(suspects.evicted >= many - suspects.capacity);
  assert.equal(suspects.evictedScanners, 0);
  b.send({ port: 5 });
  assert.equal(b.scans.length, 1, "not told anew");
});
