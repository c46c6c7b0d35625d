// An ordinary day, played by real programs at once: leases, transfers, questions to everybody, telephone calls, traces and
// connections that a reboot cut. Check that nobody who took part is called a scanner, and that a scanner in the midst is.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Lab } from "./lab.ts";
import { scan, scene, until } from "./sentry-process.ts";

const PYTHON = "/usr/bin/python3";

/** Starts a program and waits until it says "ready". */
async function ready(made: Lab, where: string, argv: readonly string[]): Promise<void> {
  const child = made.start(where, argv);
  let said = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (data) => (said += data));
  await until(`${argv.slice(0, 3).join(" ")} to be ready`, () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
    return /ready|DHCP, IP range|started, version/.test(said);
  });
}

function must(made: Lab, where: string, ...argv: string[]): string {
  const ran = made.run(where, argv, { timeoutMs: 60_000 });
  assert.equal(ran.status, 0, `${argv.slice(0, 4).join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

// A device on the network: answers each search three times, later than most programs wait, from ports of its choice.
const DEVICE = `
import random, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("", 1900))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.255.255.250") + socket.inet_aton(sys.argv[1]))
print("ready", flush=True)
while True:
  _, asker = s.recvfrom(2048)
  for n in range(3):
    time.sleep(0.03)
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.sendto(b"HTTP/1.1 200 OK", asker)
`;
const SEARCH = `
import socket, sys, time
for n in range(12):
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
  s.sendto(b"M-SEARCH * HTTP/1.1", ("239.255.255.250", 1900))
  s.close()
  time.sleep(0.15)
`;
// Calls, each to a port of its own, which the host closes while the other side still speaks; it says nothing itself.
const ANSWERING = `
import socket
control = socket.socket(); control.setsockopt(1, 2, 1); control.bind(("", 5060)); control.listen(1)
print("ready", flush=True)
c, _ = control.accept()
f = c.makefile("rw")
for call in range(12):
  media = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
  for m in media: m.bind(("", 0))
  f.write("%d %d\\n" % tuple(m.getsockname()[1] for m in media)); f.flush()
  for _ in range(10): media[0].recv(200)
  media[1].recv(200)
  for m in media: m.close()
  f.write("over\\n"); f.flush()
`;
const CALLING = `
import socket, sys, time
f = socket.create_connection((sys.argv[1], 5060), 10).makefile("rw")
mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for call in range(12):
  ports = [int(word) for word in f.readline().split()]
  for n in range(10):
    mine.sendto(b"x" * 160, (sys.argv[1], ports[0]))
    if n == 2: mine.sendto(b"report", (sys.argv[1], ports[1]))
    time.sleep(0.02) # as long as such a datagram sounds
  f.readline()
  for port in ports + ports:
    try: mine.sendto(b"x" * 160, (sys.argv[1], port))
    except OSError: pass
print("done")
`;
// Forty connections of the host to a database, of which it knows nothing any more when the database goes on with them.
const DATABASE = `
import socket, time
s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(("", 5432)); s.listen(64)
print("ready", flush=True)
kept = [s.accept()[0] for _ in range(40)]
for c in kept: c.recv(10)
time.sleep(1)
for c in kept:
  try: c.send(b"row")
  except OSError: pass
time.sleep(60)
`;
const REBOOT = `
import socket, struct, sys
held = [socket.create_connection((sys.argv[1], 5432), 10) for _ in range(40)]
for c in held:
  c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
  c.send(b"select")
for c in held: c.close()
`;
const KNOCK = `
import socket, sys
for port in map(int, sys.argv[2:]):
  try: socket.create_connection((sys.argv[1], port), 2)
  except OSError: pass
`;

const CLIENTS = ["stranger", "leases", "device", "trunk", "database", "tracer", "mailer"] as const;

test("an ordinary day with real programs: nobody is called a scanner but the one in the midst", async (t) => {
  const tools = ["nmap", "nft", "dnsmasq", "busybox", "mtr"];
  await scene(
    t,
    {},
    tools,
    async (made, watcher) => {
      const at = (name: (typeof CLIENTS)[number]) => made.clients.find((one) => one.name === name)!;
      const linkOf = (name: (typeof CLIENTS)[number]) => `v${CLIENTS.indexOf(name)}`;

      await t.test(
        "a lease is given and renewed, and a file fetched, which comes from another port",
        async () => {
          must(made, "leases", "ip", "addr", "add", "10.77.0.1/24", "dev", "eth0");
          mkdirSync(join(made.dir, "tftp"));
          writeFileSync(join(made.dir, "tftp/boot.img"), "x".repeat(20_000), { mode: 0o644 });
          await ready(made, "leases", [
            ...[
              "dnsmasq",
              "--no-daemon",
              "--conf-file=/dev/null",
              "--port=0",
              "--interface=eth0",
              "--user=root",
            ],
            ...["--dhcp-range=10.77.0.10,10.77.0.50,2m", `--dhcp-leasefile=${made.dir}/leases`],
            ...["--enable-tftp", `--tftp-root=${made.dir}/tftp`, "--tftp-no-blocksize"],
          ]);
          const lease = ["busybox", "udhcpc", "-i", linkOf("leases"), "-n", "-q", "-f", "-s", "/bin/true"];
          for (let n = 0; n < 3; n++) must(made, "host", ...lease);
          for (let n = 0; n < 6; n++)
            must(made, "host", "busybox", "tftp", "-g", "-r", "boot.img", "-l", "/dev/null", at("leases").v4);
        },
      );

      await t.test("devices answer a search when nobody waits any more", async () => {
        must(made, "host", "ip", "route", "add", "239.0.0.0/8", "dev", linkOf("device"));
        must(made, "device", "ip", "route", "add", "239.0.0.0/8", "dev", "eth0");
        await ready(made, "device", [PYTHON, "-c", DEVICE, at("device").v4]);
        must(made, "host", PYTHON, "-c", SEARCH, at("device").host4);
        await until("the answers", async () => (await watcher.packets()) > 40);
      });

      await t.test("calls end while the other side still speaks", async () => {
        await ready(made, "host", [PYTHON, "-c", ANSWERING]);
        assert.equal(must(made, "trunk", PYTHON, "-c", CALLING, at("trunk").host4), "done\n");
      });

      await t.test("a database goes on with forty connections from before a reboot", async () => {
        await ready(made, "database", [PYTHON, "-c", DATABASE]);
        const silence =
          "table ip t { chain o { type filter hook output priority 0; tcp flags & rst == rst drop; }; }";
        must(made, "host", "nft", silence);
        must(made, "host", PYTHON, "-c", REBOOT, at("database").v4);
        const strays = [
          "nft",
          "table ip s { chain i { type filter hook input priority 0; tcp sport 5432 counter; }; }",
        ];
        must(made, "host", ...strays);
        await until(
          "the strays",
          () =>
            Number(/packets (\d+)/.exec(must(made, "host", "nft", "list", "table", "ip", "s"))?.[1] ?? 0) >=
            40,
        );
        must(made, "host", "nft", "delete", "table", "ip", "t");
      });

      await t.test("mtr by UDP, TCP and ping, and a traceroute", () => {
        const { host4 } = at("tracer");
        for (const how of [
          ["--udp", "-c", "40"],
          ["--tcp", "-c", "5"],
          ["-c", "5"],
        ])
          must(made, "tracer", "mtr", "-n", "--report", "-i", "0.05", "-G", "0.2", ...how, host4);
        for (const how of [[], ["-I"]]) must(made, "tracer", "busybox", "traceroute", "-n", ...how, host4);
      });

      await t.test(
        "a mail server asks who is calling, a browser tries what is not served, a portmapper is sought",
        () => {
          for (const name of ["mailer", "tracer"] as const)
            must(made, name, PYTHON, "-c", KNOCK, at(name).host4, ...Array<string>(6).fill("113"));
          must(made, "mailer", PYTHON, "-c", KNOCK, at("mailer").host4, "443", "443", "111", "111");
        },
      );

      scan(made, "-sS", "-p1-200", "--max-retries", "0");
      await until("the scanner", () => watcher.scans.length > 0);
      const counters = await watcher.end();
      assert.deepEqual([...new Set(watcher.scans.map(({ source }) => source))], [at("stranger").v4]);
      assert.ok(counters.probes > 12, "closed ports were touched by the others as well");
    },
    CLIENTS,
  );
});
