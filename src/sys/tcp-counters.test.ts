import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import test from "node:test";
import { TcpCounters } from "./tcp-counters.ts";

test("a connection moves the count, of IPv4 and of IPv6", async (t) => {
  const counters = new TcpCounters();
  const before = counters.made();
  if (before === null) return t.skip("needs /proc/net/snmp");
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer((socket) => socket.end()).listen(0, host);
    const [error] = await Promise.race([once(server, "listening"), once(server, "error")]);
    if (error !== undefined) return t.skip(`needs ${host}`);
    const made = counters.made();
    const client = connect((server.address() as { port: number }).port, host);
    await once(client, "connect");
    assert.notEqual(counters.made(), made);
    client.destroy();
    server.close();
  }
});

test("where the kernel does not tell, nothing is made up", () => {
  const absent = new TcpCounters("/nonexistent/snmp");
  assert.equal(absent.made(), null);
  const other = new TcpCounters("/proc/self/stat");
  assert.equal(other.made(), null);
});
