// Scans that come over other links than plain Ethernet: through VLANs, tunnels without link header, and from interfaces
// that come later; live, and in the recordings that tcpdump makes of the same traffic in each of its link types.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Lab } from "../../tests/system/lab.ts";
import { scene, until } from "../../tests/system/sentry-process.ts";
import type { Address } from "../core/address.ts";
import type { Scan } from "../core/events.ts";
import { framesOf } from "../sources/packets/recording.ts";
import { replay } from "./replay.ts";

type Link = {
  readonly name: string;
  /** Arguments of `ip link add` or `ip tunnel add` at the host and at the stranger. */
  readonly add: (made: Lab) => { host: readonly string[]; stranger: readonly string[] };
  readonly family: 4 | 6;
};

/** A link of each kind between the two, laid over the one that is there. */
function links(): Link[] {
  const tunnel = (type: string) => (made: Lab) => {
    const { host4, v4 } = made.clients[0]!;
    const over = ["tunnel", "add", "over", "mode", type];
    return {
      host: [...over, "local", host4, "remote", v4],
      stranger: [...over, "local", v4, "remote", host4],
    };
  };
  const vlan = (device: string, ...more: string[]) =>
    ["link", "add", "link", device, "name", "over", "type", "vlan", "id", "7", ...more] as const;
  return [
    { name: "VLAN 802.1Q", add: () => ({ host: vlan("v0"), stranger: vlan("eth0") }), family: 4 },
    {
      name: "VLAN 802.1ad",
      add: () => ({ host: vlan("v0", "protocol", "802.1ad"), stranger: vlan("eth0", "protocol", "802.1ad") }),
      family: 6,
    },
    { name: "IPIP tunnel", add: tunnel("ipip"), family: 4 },
    { name: "GRE tunnel", add: tunnel("gre"), family: 4 },
    { name: "SIT tunnel (IPv6 in IPv4)", add: tunnel("sit"), family: 6 },
  ];
}

const ENDS = {
  4: { host: "192.0.2.1", stranger: "192.0.2.2", bits: 24 },
  6: { host: "2001:db8:99::1", stranger: "2001:db8:99::2", bits: 64 },
} as const;

function lay(made: Lab, link: Link): string | null {
  const { host, stranger, bits } = ENDS[link.family];
  const argv = link.add(made);
  for (const [where, add, address] of [
    ["host", argv.host, host],
    ["stranger", argv.stranger, stranger],
  ] as const) {
    const added = made.run(where, ["ip", ...add]);
    if (added.status !== 0) return `this kernel has no ${link.name}: ${added.stderr.trim()}`;
    made.run(where, ["ip", "link", "set", "over", "up"]);
    const nodad = link.family === 6 ? ["nodad"] : [];
    made.run(where, ["ip", "addr", "add", `${address}/${bits}`, "dev", "over", ...nodad]);
  }
  return null;
}

for (const link of links()) {
  test(`a scan through a ${link.name} is seen live and in recordings of it`, async (t) => {
    await scene(t, {}, ["nmap", "tcpdump"], async (made, watcher) => {
      const missing = lay(made, link);
      if (missing !== null) return t.skip(missing);
      const { host, stranger } = ENDS[link.family];
      const recordings = await Promise.all([record(made, "over"), record(made, "any")]);
      // The filter hears of the new address within half a second.
      await until("a scan", () => {
        const wide = link.family === 6 ? ["-6"] : [];
        made.run("stranger", ["nmap", ...wide, "-n", "-Pn", "-sS", "-p1-40", "--max-retries", "0", host]);
        return watcher.scans.some(({ source }) => source === stranger);
      });
      assert.equal(watcher.scans.find(({ source }) => source === stranger)!.probes[0]!.interface, "over");
      for (const end of recordings) {
        const found: Scan[] = [];
        const path = await end();
        replay({
          open: () => framesOf(path),
          home: [host as Address],
          onScan: (scan) => void found.push(scan),
        });
        assert.deepEqual([...new Set(found.map(({ source }) => source))], [stranger], path);
        assert.equal(found[0]!.probes.length, 4, path);
      }
      await watcher.end();
    });
  });
}

/** Starts a recording; what it returns ends it and gives its path. */
async function record(made: Lab, on: string): Promise<() => Promise<string>> {
  const path = join(made.dir, `${on}.pcap`);
  const child = made.start("host", ["tcpdump", "-i", on, "-U", "--immediate-mode", "-w", path]);
  let said = "";
  child.stderr!.on("data", (data) => (said += data));
  const ended = new Promise((resolve) => child.on("exit", resolve));
  await until(`tcpdump on ${on}`, () => said.includes("listening"));
  return async () => {
    child.kill("SIGTERM");
    await ended;
    return path;
  };
}

// A program at the other end of a tun device, as a VPN is: what it writes has no link header at all.
const FEEDER = `
import fcntl, os, socket, struct, time
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH", b"tun0", 0x1001))
print("ready", flush=True)
ports = (21, 23, 25, 110, 143)
while True:
 time.sleep(0.05)
 for port in ports:
  tcp = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 29200, 0, 0)
  ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, socket.inet_aton("192.0.2.2"), socket.inet_aton("192.0.2.1"))
  ip6 = struct.pack("!IHBB16s16s", 6 << 28, 20, 6, 64, socket.inet_pton(10, "2001:db8:99::2"), socket.inet_pton(10, "2001:db8:99::1"))
  for packet in (ip + tcp, ip6 + tcp):
   try: os.write(tun, packet)
   except OSError: pass # not up yet
`;

test("a scan through a tun device, which has no link header, is seen live and in a recording", async (t) => {
  await scene(t, { interfaces: ["tun0"] }, ["tcpdump"], async (made, watcher) => {
    const feeder = made.start("host", ["/usr/bin/python3", "-c", FEEDER]);
    let said = "";
    feeder.stdout!.on("data", (data) => (said += data));
    feeder.stderr!.on("data", (data) => (said += data));
    await until("the device", () => said !== "");
    if (!said.includes("ready")) return t.skip(`this kernel has no tun device: ${said}`);
    made.run("host", ["ip", "addr", "add", "192.0.2.1/24", "dev", "tun0"]);
    made.run("host", ["ip", "addr", "add", "2001:db8:99::1/64", "dev", "tun0", "nodad"]);
    made.run("host", ["ip", "link", "set", "tun0", "up"]);
    await until("the sentry to hear of the device", () =>
      watcher.events.some((event) => event.type === "part.recovered"),
    );
    const end = await record(made, "tun0");
    await until("two scans", () => watcher.scans.length >= 2);
    await until("a recording of both", () => statSync(join(made.dir, "tun0.pcap")).size > 2_000);
    await watcher.end();
    const sources = (scans: readonly Scan[]) => [...new Set(scans.map(({ source }) => source))].sort();
    assert.deepEqual(sources(watcher.scans), ["192.0.2.2", "2001:db8:99::2"]);
    const found: Scan[] = [];
    const path = await end();
    replay({ open: () => framesOf(path), onScan: (scan) => void found.push(scan) });
    assert.deepEqual(sources(found), ["192.0.2.2", "2001:db8:99::2"]);
  });
});

test("a scan of a host behind a bridge, heard on the bridge and on its port, is one scan", async (t) => {
  await scene(t, {}, ["nmap"], async (made, watcher) => {
    const { host4, v4 } = made.clients[0]!;
    for (const argv of [
      ["link", "add", "br0", "type", "bridge"],
      ["link", "set", "br0", "up"],
      ["addr", "del", `${host4}/30`, "dev", "v0"],
      ["link", "set", "v0", "master", "br0"],
      ["addr", "add", `${host4}/30`, "dev", "br0"],
    ]) {
      const done = made.run("host", ["ip", ...argv]);
      if (/Unknown device type/.test(done.stderr)) return t.skip("this kernel has no bridges");
      assert.equal(done.stderr, "", argv.join(" "));
    }
    await until("a scan", () => {
      made.run("stranger", ["nmap", "-n", "-Pn", "-sS", "-p1-40", "--max-retries", "0", host4]);
      return watcher.scans.length > 0;
    });
    await watcher.end();
    assert.deepEqual(
      watcher.scans.map(({ source, distinct }) => [source, distinct]),
      [[v4, 4]],
    );
  });
});
