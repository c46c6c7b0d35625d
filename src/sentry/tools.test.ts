// Scanners that hide: behind time, behind others, behind many; and tools whose habits name them. All of them real, in
// network namespaces.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Lab } from "../../tests/system/lab.ts";
import { scan, scene, until } from "../../tests/system/sentry-process.ts";
import type { Address } from "../core/address.ts";
import type { Scan } from "../core/events.ts";
import { framesOf } from "../sources/packets/recording.ts";
import { replay } from "./replay.ts";
import type { Frame } from "./types.ts";

const PYTHON = "/usr/bin/python3";

function hostMac(made: Lab): string {
  return /link\/ether (\S+)/.exec(made.run("host", ["ip", "link", "show", "v0"]).stdout)![1]!;
}

test("every pace of nmap is seen, from polite to insane", async (t) => {
  // Sneaky and paranoid wait 15 s and 5 min for each probe: here they are told to wait less.
  const paces = [["-T0", "--scan-delay", "50ms"], ["-T1", "--scan-delay", "50ms"], ["-T2"], ["-T3"], ["-T5"]];
  await scene(t, {}, ["nmap"], async (made, watcher) => {
    made.run("host", ["ip", "route", "add", "10.50.0.0/24", "via", made.clients[0]!.v4]);
    for (const [i, pace] of paces.entries()) {
      const source = `10.50.0.${i + 1}`;
      made.run("stranger", ["ip", "addr", "add", `${source}/32`, "dev", "eth0"]);
      const ports = pace[0] === "-T3" || pace[0] === "-T5" ? "-p1-1000" : "-p1-6";
      scan(made, "-sS", ports, "--max-retries", "0", ...pace, "-S", source, "-e", "eth0");
      const found = (): Scan | undefined => watcher.scans.find((one) => one.source === source);
      await until(pace.join(" "), () => found() !== undefined);
      assert.equal(found()!.probes.length, 4, pace.join(" "));
    }
    await watcher.end();
    assert.equal(watcher.final!.dropped, 0);
  });
});

test("a recording of nmap, slowed to a probe in five minutes or one a day, gives the same scan", async (t) => {
  await scene(t, {}, ["nmap", "tcpdump"], async (made, watcher) => {
    const { host4, v4 } = made.clients[0]!;
    const pcap = join(made.dir, "scan.pcap");
    const tcpdump = made.start("host", ["tcpdump", "-i", "v0", "-U", "--immediate-mode", "-w", pcap]);
    let said = "";
    tcpdump.stderr!.on("data", (data) => (said += data));
    await until("tcpdump", () => said.includes("listening"));
    scan(made, "-sS", "-p1-20", "--max-retries", "0");
    await until("a scan", () => watcher.scans.length > 0);
    const ended = new Promise((resolve) => tcpdump.on("exit", resolve));
    tcpdump.kill("SIGTERM");
    await ended;
    await watcher.end();
    const slowly = function* (everyMs: number): Generator<Frame> {
      let atMs = Date.UTC(2026, 0, 1);
      for (const frame of framesOf(pcap)) yield { ...frame, atMs: (atMs += everyMs) };
    };
    for (const everyMs of [300_000, 86_400_000]) {
      const found: Scan[] = [];
      replay({
        open: () => slowly(everyMs),
        home: [host4 as Address],
        onScan: (one) => void found.push(one),
      });
      assert.equal(found[0]?.source, v4);
      assert.equal(found[0]!.probes.length, 4);
      const tookMs = Date.parse(found[0]!.lastAt) - Date.parse(found[0]!.firstAt);
      assert.ok(tookMs >= 3 * everyMs, `the recording's clock: ${tookMs}`);
    }
    rmSync(pcap);
  });
});

test("a sweep that asks which addresses are there is seen on a host with many", async (t) => {
  await scene(t, {}, ["nmap"], async (made, watcher) => {
    const { v4, host4 } = made.clients[0]!;
    for (let i = 1; i <= 60; i++) made.run("host", ["ip", "addr", "add", `10.60.0.${i}/32`, "dev", "v0"]);
    made.run("stranger", ["ip", "route", "add", "10.60.0.0/24", "via", host4]);
    // New addresses are known to the filter within half a second.
    await until("a scan", () => {
      const sweep = made.run("stranger", ["nmap", "-n", "-sn", "--disable-arp-ping", "10.60.0.1-60"]);
      assert.equal(sweep.status, 0, sweep.stderr);
      return watcher.scans.length > 0;
    });
    await watcher.end();
    assert.equal(watcher.scans[0]!.source, v4);
    assert.equal(watcher.scans[0]!.hint, "nmap");
  });
});

test("echo requests alone, to many addresses, are a sweep", async (t) => {
  await scene(t, {}, ["nmap"], async (made, watcher) => {
    const { host4 } = made.clients[0]!;
    for (let i = 1; i <= 90; i++) made.run("host", ["ip", "addr", "add", `10.60.0.${i}/32`, "dev", "v0"]);
    made.run("stranger", ["ip", "route", "add", "10.60.0.0/24", "via", host4]);
    await until("a scan", () => {
      made.run("stranger", ["nmap", "-n", "-sn", "-PE", "--disable-arp-ping", "10.60.0.1-90"]);
      return watcher.scans.length > 0;
    });
    await watcher.end();
    assert.equal(watcher.scans[0]!.shape, "sweep");
    assert.equal(watcher.scans[0]!.hint, "nmap");
  });
});

// A system that counts its answers, as printers and old Windows do and Linux does not: it answers any SYN|ACK with a
// reset and the next identification.
const ZOMBIE = `
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
count = 1000
def total(data):
  if len(data) % 2: data += b"\\0"
  s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
  s = (s >> 16) + (s & 0xffff)
  return ~(s + (s >> 16)) & 0xffff
print("ready", flush=True)
while True:
  packet = raw.recv(65535)
  head = (packet[0] & 15) * 4
  tcp = packet[head:]
  sport, dport, seq, ack = struct.unpack("!HHII", tcp[:12])
  if tcp[13] & 0x17 != 0x12: continue
  source, target = packet[16:20], packet[12:16]
  count += 1
  body = struct.pack("!HHIIBBHHH", dport, sport, ack, 0, 5 << 4, 4, 0, 0, 0)
  check = total(source + target + struct.pack("!BBH", 0, 6, len(body)) + body)
  body = body[:16] + struct.pack("!H", check) + body[18:]
  ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, count, 0, 64, 6, 0, source, target)
  out.sendto(ip + body, (socket.inet_ntoa(target), 0))
`;

test("an idle scan is told of the zombie in whose name it comes, as spoofable", async (t) => {
  const play = async (made: Lab, watcher: Parameters<Parameters<typeof scene>[3]>[1]): Promise<void> => {
    const zombie = made.clients[1]!;
    // The host is its own router here, and lets through what bears its own address.
    for (const link of ["all", "v0", "v1"])
      for (const key of ["rp_filter=0", "accept_local=1"])
        made.run("host", ["sysctl", "-qw", `net.ipv4.conf.${link}.${key}`]);
    made.run("host", ["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    // Its own kernel keeps quiet, and its program answers.
    const quiet =
      "table ip t { chain o { type filter hook output priority 0; ip id 0 tcp flags rst drop; }; }";
    assert.equal(made.run("zombie", ["nft", quiet]).stderr, "");
    const counter = made.start("zombie", [PYTHON, "-c", ZOMBIE]);
    let said = "";
    counter.stdout!.on("data", (data) => (said += data));
    await until("the zombie", () => said.includes("ready"));
    made.start("host", ["socat", "TCP-LISTEN:22,fork,reuseaddr", "SYSTEM:cat"]);
    const idle = made.run("stranger", [
      ...["nmap", "-n", "-Pn", "-sI", `${zombie.v4}:80`, "-p22,5001-5008", "--max-retries", "1"],
      made.clients[0]!.host4,
    ]);
    assert.match(idle.stdout, /Idle scan using zombie/, idle.stdout + idle.stderr);
    assert.match(idle.stdout, /22\/tcp +open/, `nmap itself learns what is open: ${idle.stderr}`);
    await until("a scan", () => watcher.scans.length > 0);
    await watcher.end();
    assert.deepEqual([...new Set(watcher.scans.map(({ source }) => source))], [zombie.v4]);
    assert.ok(watcher.scans.every(({ grade }) => grade === "spoofable"));
  };
  await scene(t, {}, ["nmap", "nft", "socat"], play, ["stranger", "zombie"]);
});

test("hping3 shows its window, zmap its identification; a touch of a tripwire is enough to be told", async (t) => {
  await scene(t, { tripwirePorts: [81] }, ["hping3", "zmap"], async (made, watcher) => {
    const { host4, v4 } = made.clients[0]!;
    made.run("host", ["ip", "route", "add", "10.50.0.1/32", "via", v4]);
    made.run("stranger", ["ip", "addr", "add", "10.50.0.1/32", "dev", "eth0"]);
    made.run("stranger", ["hping3", "-q", "-n", "-S", "-c", "8", "-i", "u2000", "-p", "++1", host4]);
    await until("hping3", () => watcher.scans.some(({ source }) => source === v4));
    const zmap = ["zmap", "-q", "-p", "81", "-i", "eth0", "-G", hostMac(made), "-S", "10.50.0.1"];
    const run = made.run("stranger", [
      ...zmap,
      ...["-b", "/dev/null", "-B", "1M", "-c", "1", "-o", "/dev/null", `${host4}/32`],
    ]);
    assert.equal(run.status, 0, run.stderr);
    await until("zmap", () => watcher.scans.some(({ source }) => source === "10.50.0.1"));
    await watcher.end();
    const hintOf = (address: string): string | undefined =>
      watcher.scans.find(({ source }) => source === address)?.hint;
    assert.equal(hintOf(v4), "hping3");
    assert.equal(hintOf("10.50.0.1"), "zmap");
  });
});

test("a hundred and fifty addresses that share the ports of one scan are told as a pattern, and none by itself", async (t) => {
  await scene(t, {}, ["scapy"], async (made, watcher) => {
    const { host4 } = made.clients[0]!;
    const script = `
from scapy.all import *
conf.verb = 0
eth = Ether(dst="${hostMac(made)}")
sendp([eth / IP(dst="${host4}", src="203.0.113.%d" % i) / TCP(sport=40000 + i, dport=1000 + i, flags="S", window=29200) for i in range(1, 151)], iface="eth0")
`;
    const sent = made.run("stranger", [PYTHON, "-c", script]);
    assert.equal(sent.status, 0, sent.stderr);
    await until("the pattern", () => watcher.distributed.length > 0);
    await watcher.end();
    const [found] = watcher.distributed;
    assert.ok(found!.sources > 100 && found!.sources < 160, String(found!.sources));
    assert.equal(found!.ports, 128);
    assert.match(found!.reason, /128 first contacts of about \d+ sources went to 128 different ports/);
    assert.deepEqual(watcher.scans, []);
  });
});
