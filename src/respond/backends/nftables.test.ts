import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { backendContract, eventually, isShut, listening, RemoteBackend } from "../backend.contract.ts";
import { cannotLab, makeLab } from "../testing/netns.ts";
import { Remote } from "../testing/remote.ts";
import type { FirewallChange } from "../types.ts";
import { elementSteps, tableScript, USUAL_SETS } from "./ruleset.ts";

const behindJson = new URL("../testing/json-backend.ts", import.meta.url).href;

for (const backend of ["nftables", "nft-program", behindJson]) {
  backendContract({
    backend,
    stopsPackets: true,
    countsPackets: true,
    expires: true,
    outlivesProcess: true,
    networks: true,
    throttles: true,
  });
}

test("the whole table, as the kernel is told to make it", (t) => {
  t.assert.fileSnapshot(
    tableScript([...USUAL_SETS, { family: 4, bits: 22 }, { family: 6, bits: 64, slow: true }]),
    `${import.meta.dirname}/ruleset.snapshot`,
    {
      serializers: [(text: string) => text],
    },
  );
});

test("the last word on a target is the one that counts within one transaction", () => {
  const target = { base: "192.0.2.1" as never, bits: 32 };
  const kept = (...changes: FirewallChange[]) => elementSteps(changes).at(-1)!;
  assert.equal(kept({ do: "block", target, forMs: 1 }, { do: "lift", target }).do, "delete");
  const { do: done, elements } = kept({ do: "lift", target }, { do: "block", target, forMs: 61_500 });
  assert.deepEqual([done, elements], ["add", [{ key: Uint8Array.of(192, 0, 2, 1), forMs: 61_500 }]]);
});

test("other tables are neither changed nor read, and a flushed ruleset is made again by the next block", {
  timeout: 30_000,
}, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  lab.run(
    lab.host,
    "nft",
    "add table ip mine; add set ip mine blocked4_32 { type ipv4_addr; }; add element ip mine blocked4_32 { 192.0.2.99 }",
  );
  const mine = lab.run(lab.host, "nft", "list table ip mine");
  const backend = new RemoteBackend(t, lab, "nftables");
  await backend.open();
  await backend.block(600_000, "10.77.0.2");
  assert.equal((await backend.held()).length, 1);
  assert.equal(lab.run(lab.host, "nft", "list table ip mine"), mine);
  lab.run(lab.host, "nft", "flush ruleset");
  assert.deepEqual(await backend.held(), []);
  assert.equal((await backend.lift("10.77.0.2"))[0]!.why, null);
  assert.equal((await backend.block(600_000, "10.77.0.2"))[0]!.why, null);
  await isShut(lab, "10.77.0.2");
});

test("a table that another version left behind is replaced, its blocks kept", {
  timeout: 30_000,
}, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  lab.run(
    lab.host,
    "nft",
    "add table inet telltale; add set inet telltale blocked4_32 { type ipv4_addr; flags timeout; size 50; }; add chain inet telltale prerouting { type filter hook input priority 0; }; add element inet telltale blocked4_32 { 10.77.0.3 timeout 1h }",
  );
  const backend = new RemoteBackend(t, lab, "nftables");
  await backend.open();
  await eventually("the block to be there", 2_000, backend.held, (held) => held.length === 1);
  await isShut(lab, "10.77.0.3");
});

test("forwarded traffic and published ports are covered: the hook comes before address translation", {
  timeout: 30_000,
}, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  // Check that a port published by DNAT, as container engines do, is shut too: 10.77.0.1:9 leads to a container's address.
  lab.run(
    lab.host,
    "nft",
    "add table ip nat; add chain ip nat pre { type nat hook prerouting priority dstnat; }; add rule ip nat pre tcp dport 9 counter dnat to 127.0.0.1",
  );
  const backend = new RemoteBackend(t, lab, "nftables");
  await backend.open();
  await backend.block(600_000, "10.77.0.2");
  await isShut(lab, "10.77.0.2");
  assert.match(lab.run(lab.host, "nft", "list table ip nat"), /counter packets 0/);
});

test("a container behind the host: its published port is shut to the blocked, open to others, and no tripwire", {
  timeout: 60_000,
}, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  const container = `tt-rc-${process.pid}`;
  const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => spawnSync("ip", ["netns", "del", container]));
  ip("netns", "add", container);
  ip("-n", lab.host, "link", "add", "br0", "type", "veth", "peer", "name", "eth0", "netns", container);
  ip("-n", lab.host, "addr", "add", "172.31.0.1/24", "dev", "br0");
  ip("-n", lab.host, "link", "set", "br0", "up");
  ip("-n", container, "addr", "add", "172.31.0.2/24", "dev", "eth0");
  ip("-n", container, "link", "set", "eth0", "up");
  ip("-n", container, "route", "add", "default", "via", "172.31.0.1");
  lab.run(lab.host, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  const ports = "8081-8090";
  lab.run(
    lab.host,
    "nft",
    `add table ip nat; add chain ip nat pre { type nat hook prerouting priority dstnat; }; add rule ip nat pre iifname "veth0" tcp dport ${ports} dnat to 172.31.0.2`,
  );
  // Before: the container itself answers, with a reset, for nothing listens in it.
  const guard = new Remote(t, lab.host, "./responder-child.ts", "tripwire");
  await guard.ask("restore");
  for (let port = 8081; port <= 8090; port++) assert.equal(await lab.knock("10.77.0.3", port), "answered");
  await guard.ask("scan", { targets: ["10.77.0.2"] });
  assert.equal(await lab.knock("10.77.0.2", 8081), "silent");
  assert.equal(await lab.knock("10.77.0.3", 8081), "answered");
  const table = lab.run(lab.host, "nft", "list table inet telltale");
  assert.match(table, /10\.77\.0\.2 counter packets [1-9]/);
  assert.doesNotMatch(table, /10\.77\.0\.3 /, "ten published ports are ten services, not a scan");
});

test("the tracked connections of a blocked source are forgotten, its neighbour's stay", {
  timeout: 30_000,
}, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  const table = () => lab.run(lab.host, "cat", "/proc/net/nf_conntrack");
  lab.run(
    lab.host,
    "nft",
    "add table ip track; add chain ip track in { type filter hook input priority 0; }; add rule ip track in ct state established counter",
  );
  const server = fileURLToPath(new URL("../testing/ssh-stand-in.ts", import.meta.url));
  lab.keep(lab.host, process.execPath, server, "listen");
  await listening(lab, 22);
  for (const from of ["10.77.0.3", "10.77.0.4"]) {
    lab.keep(lab.stranger, process.execPath, server, "connect", from, "10.77.0.1");
    await eventually(
      `the connection of ${from}`,
      10_000,
      async () => table(),
      (text) => text.includes(`ESTABLISHED src=${from} `),
    );
  }
  const backend = new RemoteBackend(t, lab, "nftables");
  await backend.open();
  await backend.block(600_000, "10.77.0.3", "2001:db8:77::2", "192.0.2.0/24");
  await eventually(
    "the entry to go",
    3_000,
    async () => table(),
    (text) => !text.includes("src=10.77.0.3 "),
  );
  assert.match(table(), /ESTABLISHED src=10\.77\.0\.4 /);
});

test("a process that only lifts leaves the guard's table as it is", { timeout: 30_000 }, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  const table = () =>
    lab.run(lab.host, "nft", "list", "table", "inet", "telltale").replace(/counter .*/g, "");
  const lifter = new RemoteBackend(t, lab, "nftables");
  assert.equal((await lifter.lift("10.77.0.2", "10.77.0.0/28"))[0]!.why, null);
  assert.equal(lab.run(lab.host, "nft", "list", "tables"), "", "lifting made a table");
  const guard = new RemoteBackend(t, lab, "nftables");
  await guard.open();
  await guard.allow("10.77.0.8", "fe80::/10");
  const before = table();
  await guard.block(600_000, "10.77.0.8/29");
  for (const { why } of await lifter.lift("10.77.0.8/29", "192.0.2.0/23", "10.77.0.2"))
    assert.equal(why, null);
  assert.deepEqual(await guard.held(), []);
  assert.equal(
    table()
      .replace(/\tset blocked4_29 \{[^}]*\}\n\n/, "")
      .replace(/.*@blocked4_29 drop\n/, ""),
    before,
  );
});
