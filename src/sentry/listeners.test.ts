import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import test from "node:test";
import { Listeners } from "./listeners.ts";
import { addressOfWords } from "./local.ts";
import { LISTEN, parseSockets } from "./parse.ts";
import { type OpenSocket, openTables, TextTables } from "./tables.ts";

const LOCAL4 = [0x7f00_0001, 0, 0, 0] as const;
const LOCAL6 = [0, 0, 0, 1] as const;

test("finds real sockets by family, protocol, address and port, and notices when they close", async () => {
  const four = createServer().listen(0, "127.0.0.1");
  const six = createServer().listen(0, "::1");
  await Promise.all([once(four, "listening"), once(six, "listening")]);
  const datagrams = createSocket("udp4");
  await new Promise<void>((resolve) => datagrams.bind(0, "127.0.0.1", resolve));
  const port4 = (four.address() as AddressInfo).port;
  const port6 = (six.address() as AddressInfo).port;
  const portU = datagrams.address().port;
  const listeners = new Listeners(openTables());
  listeners.refresh();
  assert.ok(listeners.inUse(4, 6, ...LOCAL4, port4));
  assert.ok(listeners.inUse(6, 6, ...LOCAL6, port6));
  assert.ok(listeners.inUse(4, 17, ...LOCAL4, portU));
  assert.ok(!listeners.inUse(4, 6, 0x7f00_0002, 0, 0, 0, port4), "another address");
  assert.ok(!listeners.inUse(6, 6, ...LOCAL6, port4), "another family");
  assert.ok(!listeners.inUse(4, 132, ...LOCAL4, port4), "another protocol");
  assert.equal(listeners.unreadable, null);
  datagrams.close();
  four.close();
  await once(four, "close");
  listeners.refresh();
  assert.ok(!listeners.inUse(4, 6, ...LOCAL4, port4));
  assert.ok(listeners.wasInUse(4, 6, port4), "a moment ago it was");
  six.close();
});

test("a listener on every address of both families counts for both, and the filter may have it", async () => {
  const server = createServer().listen(0, "::");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const listeners = new Listeners(openTables());
  listeners.refresh();
  assert.ok(listeners.inUse(4, 6, 0xc000_0201, 0, 0, 0, port));
  assert.ok(listeners.inUse(6, 6, 0x2001_0db8, 0, 0, 1, port));
  const { open, busy, ephemeral } = listeners.ordinary(1, null);
  for (const list of [open.tcp4, open.tcp6, busy.tcp4, busy.tcp6])
    assert.ok(list.some(([first, last]) => port >= first && port <= last));
  assert.ok(!open.udp4.some(([first, last]) => port >= first && port <= last));
  assert.ok(ephemeral[0] <= ephemeral[1]);
  server.close();
});

test("asked directly, the kernel tells listening, connected and absent sockets apart", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  await once(client, "connect");
  const clientPort = (client.address() as AddressInfo).port;
  for (const tables of [openTables(), new TextTables("/proc/self/net")]) {
    const listeners = new Listeners(tables);
    const ask = (local: number, remote: number): number =>
      listeners.ask(4, 6, LOCAL4, local, LOCAL4, remote, 1);
    assert.equal(ask(port, 0), LISTEN);
    assert.equal(ask(port, clientPort), 1);
    assert.equal(ask(clientPort, port), 1);
    assert.equal(ask(clientPort, 1), 0);
    assert.ok(listeners.isBusy(4, clientPort), "learned by asking");
    assert.equal(listeners.ask(4, 132, LOCAL4, port, LOCAL4, 0, 1), 0);
    assert.equal(listeners.unreadable, null);
    listeners.close();
  }
  client.destroy();
  server.close();
});

test("the connections of a source are found in both families, also IPv4 ones of a socket on ::", async (t) => {
  const server = createServer().listen(0, "::");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clients = ["127.0.0.1", "127.0.0.1", "::1"].map((host) => connect(port, host));
  t.after(() => {
    for (const client of clients) client.destroy();
    server.close();
  });
  await Promise.all(clients.map((client) => once(client, "connect")));
  for (const tables of [openTables(), new TextTables("/proc/self/net")]) {
    const listeners = new Listeners(tables);
    listeners.refresh();
    const own = (family: 4 | 6, source: readonly [number, number, number, number]): number =>
      listeners.connectionsOf(family, source).filter((one) => one === port).length;
    assert.equal(own(4, LOCAL4), 2);
    assert.equal(own(6, LOCAL6), 1);
    assert.equal(own(4, [0x7f00_0002, 0, 0, 0]), 0);
    listeners.close();
  }
});

test("listeners on single addresses are told to the filter with their address, loopback left out", () => {
  const tables = {
    open: (protocol: number, take: (socket: OpenSocket) => void): void => {
      if (protocol !== 6) return;
      const socket = { family: 4, local1: 0, local2: 0, local3: 0 } as const;
      take({ ...socket, local0: 0xc000_0201, localPort: 5_432 });
      take({ ...socket, local0: 0x7f00_0001, localPort: 6_379 });
      take({ ...socket, local0: 0, localPort: 80 });
      take({ ...socket, local0: 0xc000_0201, localPort: 80 });
    },
    find: () => 0,
    connectionsOf: () => [],
    close: () => {},
  };
  const listeners = new Listeners(tables);
  listeners.refresh();
  assert.deepEqual(listeners.ordinary(1, null).openAt.tcp4, [[0xc000_0201, 5_432]]);
  assert.deepEqual(listeners.ordinary(1, null).open.tcp4, [[80, 80]]);
});

test("a listener on :: that wants IPv6 only does not make the IPv4 port look open", async () => {
  const server = createServer().listen({ port: 0, host: "::", ipv6Only: true });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const listeners = new Listeners(openTables());
  listeners.refresh();
  assert.ok(listeners.inUse(6, 6, ...LOCAL6, port));
  assert.ok(!listeners.inUse(4, 6, ...LOCAL4, port));
  server.close();
});

test("agrees with ss about this machine's listening sockets", (t) => {
  if (spawnSync("ss", ["-V"]).status !== 0) return t.skip("needs ss: apt install iproute2");
  const listed = (): Set<string> => {
    const found = new Set<string>();
    for (const [file, wide] of [
      ["tcp", false],
      ["tcp6", true],
    ] as const) {
      parseSockets(readFileSync(`/proc/self/net/${file}`), wide, (row) => {
        if (row.state === LISTEN)
          found.add(
            `${addressOfWords(row.family, row.local0, row.local1, row.local2, row.local3)} ${row.localPort}`,
          );
        return true;
      });
    }
    return found;
  };
  const asked = (): Set<string> =>
    new Set(
      execFileSync("ss", ["-Hltn"], { encoding: "utf8" })
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const local = line.split(/\s+/)[3]!;
          const at = local.lastIndexOf(":");
          const address = local.slice(0, at).replace(/%.*/, "").replace(/[[\]]/g, "");
          return `${address === "*" ? "::" : address.replace("::ffff:", "")} ${local.slice(at + 1)}`;
        }),
    );
  // Others on this machine open and close sockets; two readings that agree before and after are enough.
  for (let tries = 0; tries < 20; tries++) {
    const before = listed();
    const theirs = asked();
    if (!isSame(before, listed())) continue;
    if (isSame(before, theirs)) return;
    if (tries === 19) assert.deepEqual([...theirs].sort(), [...before].sort());
  }
});

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}

test("lines that make no sense are skipped and counted, the others are read", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue",
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000",
    "   1: nonsense",
    "   2: 0100007F:0050",
    "",
    "   3: 0200007F:0016 07643CC6:C001 01 00000000:00000000",
  ].join("\n");
  const rows: string[] = [];
  const skipped = parseSockets(Buffer.from(table), false, (row) => {
    rows.push(`${row.local0.toString(16)} ${row.localPort} ${row.remotePort} ${row.state}`);
    return true;
  });
  assert.deepEqual(rows, ["7f000001 8080 0 10", "7f000002 22 49153 1"]);
  assert.equal(skipped, 2);
});

test("tables that cannot be read are named", () => {
  const listeners = new Listeners(new TextTables("/nonexistent"));
  listeners.refresh();
  assert.match(listeners.unreadable ?? "", /ENOENT.*\/nonexistent\/tcp/);
});
