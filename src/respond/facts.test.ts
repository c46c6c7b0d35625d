import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type TestContext } from "node:test";
import { waitFor } from "../../tests/system/wait.ts";
import { parseAddress } from "../core/address.ts";
import { HostFactsReader } from "./facts.ts";
import { guardrailFor } from "./guardrails.ts";
import { parseChronySources, parseNtpPeers } from "./parse.ts";
import { TimeSources } from "./time-sources.ts";

const SOCKETS_HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

function hostTree(t: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), "tt-facts-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

test("a host is read whole: gateways, resolvers, lease, time, SSH peers, ignore file", (t) => {
  const root = hostTree(t, {
    "/proc/net/route":
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\neth1\t0000000A\tFE0200C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n",
    "/proc/net/ipv6_route":
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n",
    "/proc/net/tcp": `${SOCKETS_HEAD}   0: 00000000:08AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 900 1 0 100 0 0 10 0
   1: 050200C0:08AE 097100CB:C001 01 00000000:00000000 00:00000000 00000000     0        0 901 1 0 20 4 30 10 -1
   2: 050200C0:0050 0A7100CB:C002 01 00000000:00000000 00:00000000 00000000     0        0 902 1 0 20 4 30 10 -1
   3: 050200C0:0016 0B7100CB:C002 06 00000000:00000000 00:00000000 00000000     0        0 903 1 0 20 4 30 10 -1\n`,
    "/proc/net/tcp6": `${SOCKETS_HEAD}   1: B80D0120000000000000000005000000:0016 B80D01200000000000000000AB000000:C001 01 00000000:00000000 00:00000000 00000000     0        0 905 1 0 20 4 30 10 -1\n`,
    "/proc/net/udp": `${SOCKETS_HEAD}  12: 050200C0:B001 7B7100CB:007B 01 00000000:00000000 00:00000000 00000000     0        0 906 2 0 0\n`,
    "/etc/resolv.conf":
      "search example.org\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n# nameserver 192.0.2.99\n",
    "/run/systemd/netif/leases/2":
      "ADDRESS=192.0.2.5\nROUTER=192.0.2.1\nSERVER_ADDRESS=192.0.2.2\nNTP=192.0.2.3 192.0.2.4\n",
    "/var/lib/dhcp/dhclient.eth0.leases":
      "lease {\n  option dhcp-server-identifier 192.0.2.6;\n  option domain-name-servers 192.0.2.7,192.0.2.8;\n}\n",
    "/etc/ssh/sshd_config": "# Port 2022\nPort 2222\n",
    "/etc/chrony/chrony.conf": "pool 2.debian.pool.ntp.org iburst\nserver 192.0.2.124 iburst\n",
    "/etc/fail2ban/jail.conf":
      "[DEFAULT]\n#ignoreip = 203.0.113.99\nignoreip = 127.0.0.1/8 ::1, 203.0.113.224/28\n  203.0.113.51 # the monitor\n  gw.example.org\nbantime = 203.0.113.98\n",
    "/etc/fail2ban/jail.d/own.local": "[sshd]\nignoreip: 2001:db8:77::/48\n",
    "/etc/portsentry/portsentry.ignore": "127.0.0.1/32\n0.0.0.0\n198.51.100.0/24 # the office\nrubbish\n",
  });
  const eth0 = {
    address: "192.0.2.5",
    cidr: "192.0.2.5/24",
    family: "IPv4" as const,
    netmask: "",
    mac: "",
    internal: false,
  };
  const facts = new HostFactsReader({ root, interfaces: () => ({ eth0: [eth0] }) }).current();
  const why = (address: string) => guardrailFor(parseAddress(address)!, facts);
  assert.match(why("192.0.2.1")!, /default gateway of eth0/);
  assert.match(why("192.0.2.5")!, /own address on eth0/);
  assert.match(why("192.0.2.255")!, /broadcast of eth0/);
  assert.match(why("192.0.2.254")!, /gateway of eth1/);
  assert.match(why("2001:db8::1")!, /default gateway of eth0/);
  assert.match(why("203.0.113.230")!, /ignoreip in \/etc\/fail2ban\/jail\.conf/);
  assert.match(why("203.0.113.51")!, /ignoreip/);
  assert.match(why("2001:db8:77:5::1")!, /ignoreip in \/etc\/fail2ban\/jail\.d\/own\.local/);
  assert.deepEqual([why("203.0.113.98"), why("203.0.113.99")], [null, null]);
  assert.match(why("192.0.2.53")!, /resolver in \/etc\/resolv\.conf/);
  assert.match(why("192.0.2.2")!, /DHCP server of the lease/);
  assert.match(why("192.0.2.4")!, /NTP server of the lease/);
  assert.match(why("192.0.2.6")!, /DHCP server/);
  assert.match(why("192.0.2.8")!, /resolver of the lease/);
  assert.match(why("203.0.113.9")!, /live SSH session on port 2222/);
  assert.match(why("2001:db8::ab")!, /live SSH session on port 22/);
  assert.match(why("203.0.113.123")!, /NTP server in use/);
  assert.match(why("192.0.2.124")!, /NTP server in \/etc\/chrony/);
  assert.match(why("198.51.100.77")!, /listed in \/etc\/portsentry/);
  assert.equal(why("203.0.113.10"), null, "a visitor of the web server is nobody's guard");
  assert.equal(why("203.0.113.11"), null, "a closed SSH connection protects nobody");
  assert.equal(why("192.0.2.99"), null);
  assert.deepEqual(facts.unread, []);
});

test("what cannot be read is named, and the rest still counts", (t) => {
  const root = hostTree(t, {
    "/etc/resolv.conf": "nameserver 192.0.2.53\n",
    "/proc/net/udp/oops": "a folder",
  });
  const facts = new HostFactsReader({ root }).current();
  assert.match(guardrailFor(parseAddress("192.0.2.53")!, facts)!, /resolver/);
  assert.deepEqual(facts.unread.map(({ what }) => what).sort(), [
    "/proc/net/route",
    "/proc/net/tcp",
    "/proc/net/udp",
  ]);
});

test("the real host protects its own addresses and what its kernel routes through", () => {
  const facts = new HostFactsReader().current();
  for (const entries of Object.values(networkInterfaces())) {
    for (const { address } of entries ?? []) {
      assert.notEqual(guardrailFor(parseAddress(address.split("%")[0]!)!, facts), null, address);
    }
  }
  const gateway = /via (\S+)/.exec(
    spawnSync("ip", ["route", "show", "default"], { encoding: "utf8" }).stdout ?? "",
  )?.[1];
  if (gateway !== undefined) assert.match(guardrailFor(parseAddress(gateway)!, facts)!, /default gateway/);
});

test("the client of the SSH session we run in is protected, even behind sudo", async (t) => {
  // The environment of an ancestor tells; ours has lost it.
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `const { spawnSync } = await import("node:child_process");
       process.stdout.write(spawnSync(process.execPath, ["--input-type=module", "-e", process.argv[1]], { env: { PATH: process.env.PATH }, encoding: "utf8" }).stdout);`,
      `const { HostFactsReader } = await import(${JSON.stringify(new URL("./facts.ts", import.meta.url).href)});
       process.stdout.write(JSON.stringify(new HostFactsReader().current().guards));`,
    ],
    {
      env: { ...process.env, SSH_CONNECTION: "203.0.113.77 50022 192.0.2.5 22" },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  for await (const chunk of child.stdout) text += chunk;
  assert.match(text, /203\.0\.113\.77.*SSH client of the session/);
});

test("a live connection to the SSH port is found in the real kernel table, and gone when it closes", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const root = hostTree(t, { "/etc/ssh/sshd_config": `Port ${port}\n` });
  const accepted = new Promise<void>((resolve) =>
    server.once("connection", (socket) => {
      t.after(() => socket.destroy());
      resolve();
    }),
  );
  const client = connect(port, "127.0.0.1");
  t.after(() => client.destroy());
  await accepted;
  mkdirSync(join(root, "proc"));
  // The tree's /proc/net is the real one.
  spawnSync("ln", ["-s", "/proc/net", join(root, "proc/net")]);
  const facts = new HostFactsReader({ root }).current();
  assert.ok(facts.guards.some(({ because }) => because === `live SSH session on port ${port}`));
});

function readerOf(root: string): { reader: HostFactsReader; at: (ms: number) => readonly string[] } {
  let nowMs = 0;
  const clock = { now: () => new Date(), monotonicMs: () => nowMs };
  const reader = new HostFactsReader({ root, clock, interfaces: () => ({}) });
  const at = (ms: number) => {
    nowMs = ms;
    return reader.current().guards.map(({ prefix }) => prefix.base);
  };
  return { reader, at };
}

test("a file that changes is read again within five seconds, and only then are the facts another object", (t) => {
  const root = hostTree(t, { "/etc/resolv.conf": "nameserver 192.0.2.53\n" });
  const { reader, at } = readerOf(root);
  assert.deepEqual(at(0), ["192.0.2.53"]);
  const facts = reader.current();
  assert.deepEqual(at(4_000), ["192.0.2.53"]);
  writeFileSync(join(root, "/etc/resolv.conf"), "nameserver 192.0.2.54\n");
  assert.deepEqual(at(4_990), ["192.0.2.53"]);
  assert.equal(reader.current(), facts);
  assert.deepEqual(at(5_000), ["192.0.2.54"]);
  mkdirSync(join(root, "/var/lib/dhcp"), { recursive: true });
  writeFileSync(join(root, "/var/lib/dhcp/x.leases"), "lease {\n  option routers 192.0.2.1;\n}\n");
  assert.deepEqual(at(10_000), ["192.0.2.54", "192.0.2.1"], "a file that was not there is noticed too");
  rmSync(join(root, "/etc/resolv.conf"));
  assert.deepEqual(at(15_000), ["192.0.2.1"]);
});

test("who is logged in is read again as soon as the kernel has counted a connection, and once more after it", (t) => {
  const snmp = (made: number) =>
    `Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails\nTcp: 1 200 120000 -1 7 ${made} 0\n`;
  const rows = (...inodes: number[]) =>
    SOCKETS_HEAD +
    inodes
      .map(
        (inode, i) =>
          `   ${i}: 050200C0:0016 0${i}7100CB:C001 01 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 20 4 30 10 -1\n`,
      )
      .join("");
  const root = hostTree(t, { "/proc/net/tcp": rows(), "/proc/net/snmp": snmp(1) });
  const write = (path: string, text: string) => writeFileSync(join(root, path), text);
  const { at } = readerOf(root);
  assert.deepEqual(at(0), []);
  assert.deepEqual(at(200), []);
  write("/proc/net/tcp", rows(901));
  assert.deepEqual(at(900), [], "no connection was counted: nothing is read");
  write("/proc/net/snmp", snmp(2));
  assert.deepEqual(at(910), ["203.0.113.0"]);
  // Counted, and listed a moment later.
  write("/proc/net/tcp", rows(901, 902));
  assert.deepEqual(at(960), ["203.0.113.0"]);
  assert.deepEqual(at(1_010), ["203.0.113.0", "203.0.113.1"]);
  write("/proc/net/tcp", rows());
  assert.deepEqual(at(1_200), ["203.0.113.0", "203.0.113.1"]);
  assert.deepEqual(at(16_200), [], "whoever has gone is no longer protected after fifteen seconds");
  write("/proc/net/snmp", "");
  write("/proc/net/tcp", rows(903));
  assert.deepEqual(at(16_400), ["203.0.113.0"]);
  write("/proc/net/tcp", rows(903, 904));
  assert.deepEqual(
    at(16_600),
    ["203.0.113.0", "203.0.113.1"],
    "where nothing is counted it is read each time",
  );
});

test("an address that this host takes is protected at the next question", { timeout: 60_000 }, async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root for network namespaces");
  const name = `tt-facts-${process.pid}`;
  if (spawnSync("ip", ["netns", "add", name]).status !== 0) return t.skip("needs ip: apt install iproute2");
  t.after(() => spawnSync("ip", ["netns", "del", name]));
  const module = new URL("./facts.ts", import.meta.url).href;
  const code = `const { HostFactsReader } = await import(${JSON.stringify(module)});
    const reader = new HostFactsReader();
    reader.current();
    process.stdin.on("data", () => console.log(reader.current().guards.map(({ because, prefix }) => because + " " + prefix.base).join(", ")));
    process.stdin.on("end", () => reader[Symbol.dispose]());
    console.log("ready");`;
  const argv = ["netns", "exec", name, process.execPath, "--input-type=module", "-e", code];
  const child = spawn("ip", argv, { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const said = async () => String(((await once(child.stdout, "data")) as [Buffer])[0]);
  assert.equal(await said(), "ready\n");
  const changes: readonly (readonly [command: string, guards: RegExp])[] = [
    ["link set lo up", /own address on lo 127\.0\.0\.1/],
    ["link add v0 type veth peer name v1", /own address on lo/],
    ["link set v1 up", /own address on lo/],
    ["link set v0 up", /own address on lo/],
    ["addr add 192.0.2.7/24 dev v0", /own address on v0 192\.0\.2\.7/],
    ["route add 203.0.113.0/24 via 192.0.2.1 dev v0", /gateway of v0 192\.0\.2\.1/],
    ["route add default via 192.0.2.8 dev v0", /default gateway of v0 192\.0\.2\.8/],
    ["route replace default via 192.0.2.9 dev v0", /^(?!.*192\.0\.2\.8).*default gateway of v0 192\.0\.2\.9/],
    ["-6 route add default via fe80::9 dev v0", /default gateway of v0 fe80::9/],
  ];
  for (const [command, guards] of changes) {
    const { status, stderr } = spawnSync("ip", ["-n", name, ...command.split(" ")], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    // Longer than it takes until a change is looked at again.
    const answer = await waitFor(command, async () => {
      const next = said();
      child.stdin.write("?");
      const text = await next;
      return guards.test(text) ? text : null;
    });
    assert.match(answer, guards);
  }
  child.stdin.end();
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("the resolvers behind a stub that stands for them are protected too, and followed when they change", (t) => {
  const stub = "/run/systemd/resolve/stub-resolv.conf";
  const upstream = "/run/systemd/resolve/resolv.conf";
  const root = hostTree(t, {
    [stub]: "nameserver 127.0.0.53\n",
    [upstream]: "nameserver 192.0.2.53\nnameserver 2001:db8::53\n",
    "/etc/hostname": "host\n",
  });
  symlinkSync(`..${stub}`, join(root, "/etc/resolv.conf"));
  const { at } = readerOf(root);
  assert.deepEqual(at(0), ["127.0.0.53", "192.0.2.53", "2001:db8::53"]);
  writeFileSync(join(root, upstream), "nameserver 192.0.2.54\n");
  assert.deepEqual(at(5_000), ["127.0.0.53", "192.0.2.54"]);
  // Somebody puts a file of their own in the place of the link.
  rmSync(join(root, "/etc/resolv.conf"));
  writeFileSync(join(root, "/etc/resolv.conf"), "nameserver 192.0.2.55\n");
  assert.deepEqual(at(10_000), ["192.0.2.55", "192.0.2.54"]);
});

test("whoever began a mosh session is protected after its SSH connection has ended", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tt-facts-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "mosh-server");
  copyFileSync("/usr/bin/sleep", program);
  chmodSync(program, 0o755);
  const env = { SSH_CONNECTION: "203.0.113.99 50022 192.0.2.5 22" };
  const child = spawn(program, ["600"], { env, stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  const why = () => {
    const reader = new HostFactsReader();
    const because = guardrailFor(parseAddress("203.0.113.99")!, reader.current());
    reader[Symbol.dispose]();
    return because;
  };
  await waitFor("the session", () => why() === `mosh session of process ${child.pid}`);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(why(), null);
});

test("networks of logins are read from a wtmp as the system writes it, the last month only", (t) => {
  const line = (type: number, user: string, host: string, address: string, at: string) =>
    `[${type}] [01234] [ts/0] [${user.padEnd(8)}] [pts/0       ] [${host.padEnd(20)}] [${address.padEnd(15)}] [${at}]`;
  const made = spawnSync("utmpdump", ["-r"], {
    input: `${[
      line(7, "anna", "203.0.113.9", "203.0.113.9", "2026-11-20T10:00:00,000000+00:00"),
      line(8, "", "", "0.0.0.0", "2026-11-20T11:00:00,000000+00:00"),
      line(7, "anna", "2001:db8:7::9", "2001:db8:7::9", "2026-11-21T10:00:00,000000+00:00"),
      line(7, "anna", "198.51.100.9", "198.51.100.9", "2026-09-01T10:00:00,000000+00:00"),
      line(7, "anna", "", "0.0.0.0", "2026-11-21T12:00:00,000000+00:00"),
    ].join("\n")}\n`,
  });
  if (made.error !== undefined) return t.skip("needs utmpdump: apt install util-linux");
  const root = hostTree(t, {});
  mkdirSync(join(root, "var/log"), { recursive: true });
  writeFileSync(join(root, "var/log/wtmp"), made.stdout);
  assert.equal(made.stdout.length, 5 * 384);
  const clock = { now: () => new Date("2026-11-22T20:00:00Z"), monotonicMs: () => 0 };
  const { loginNetworks } = new HostFactsReader({ root, clock }).current();
  assert.deepEqual(
    loginNetworks?.map(({ because }) => because),
    [
      "somebody logged in from 203.0.113.0/24 on 2026-11-20",
      "somebody logged in from 2001:db8:7::/64 on 2026-11-21",
    ],
  );
});

test("time servers in use are those that the daemon itself names, asked behind whoever wants to know", async () => {
  // As chrony 4.3 writes it.
  const rest = "0,6,0,4294967295,0.000000000,0.000000000,0.000000000\n";
  const chrony = `^,?,192.0.2.123,${rest}=,*,2001:db8::123,${rest}#,?,GPS,${rest}`;
  assert.deepEqual(parseChronySources(chrony), ["192.0.2.123", "2001:db8::123"]);
  const ntpq = `     remote           refid      st t when poll reach   delay   offset  jitter
==============================================================================
*192.0.2.7       .GPS.            1 u   34   64  377    0.1    0.0    0.0
+2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff
                 192.0.2.7        2 u    1   64    1    0.1    0.0    0.0
`;
  assert.deepEqual(parseNtpPeers(ntpq), ["192.0.2.7", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"]);

  let nowMs = 0;
  let says: string | Error = chrony;
  let asked = 0;
  const ask = async () => {
    asked++;
    if (says instanceof Error) throw says;
    return says;
  };
  const daemon = { config: "/", ask, parse: parseChronySources };
  const sources = new TimeSources("/", { now: () => new Date(0), monotonicMs: () => nowMs }, [daemon]);
  assert.deepEqual(sources.current(), [], "nobody waits for it");
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sources.current(), ["192.0.2.123", "2001:db8::123"]);
  assert.equal(asked, 1);
  nowMs += 300_000;
  says = new Error("not running");
  sources.current();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sources.current(), ["192.0.2.123", "2001:db8::123"], "the last answer stays");
  assert.equal(asked, 2);
});
