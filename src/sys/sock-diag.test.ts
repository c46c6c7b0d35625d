import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import test from "node:test";
import { ALL_STATES, type DiagSocket, dumpSockets, ESTABLISHED, LISTEN } from "./sock-diag.ts";

function dump(protocol: "tcp" | "udp", wide: boolean, states: number): DiagSocket[] {
  const found: DiagSocket[] = [];
  dumpSockets({ protocol, wide, states }, (socket) => {
    found.push({ ...socket });
    return true;
  });
  return found;
}

test("finds listeners and both ends of a connection, IPv4, IPv6 and mapped", async () => {
  for (const [listenOn, connectTo, family] of [
    ["127.0.0.1", "127.0.0.1", 4],
    ["::1", "::1", 6],
    ["::", "127.0.0.1", 4],
  ] as const) {
    const server = createServer();
    server.listen(0, listenOn);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const client = connect(port, connectTo);
    const [peer] = await once(server, "connection");
    const listeners = [...dump("tcp", false, 1 << LISTEN), ...dump("tcp", true, 1 << LISTEN)];
    assert.ok(
      listeners.some((socket) => socket.localPort === port && socket.wide === (listenOn !== "127.0.0.1")),
    );
    assert.ok(listeners.every((socket) => socket.state === LISTEN));
    const established = [...dump("tcp", false, 1 << ESTABLISHED), ...dump("tcp", true, 1 << ESTABLISHED)];
    const ends = established.filter((socket) => socket.localPort === port || socket.remotePort === port);
    assert.equal(ends.length, 2);
    for (const end of ends) {
      assert.equal(end.family, family);
      assert.equal(family === 4 ? end.local0 : end.local3, family === 4 ? 0x7f000001 : 1);
      assert.equal(family === 4 ? end.remote0 : end.remote3, family === 4 ? 0x7f000001 : 1);
      assert.ok(end.inode > 0);
    }
    client.destroy();
    (peer as typeof client).destroy();
    server.close();
  }
});

test("tells of UDP sockets", async () => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  assert.ok(
    dump("udp", false, ALL_STATES).some((found) => found.localPort === port && found.local0 === 0x7f000001),
  );
  socket.close();
});

test("agrees with /proc/net/tcp about listeners", () => {
  for (const [file, wide] of [
    ["tcp", false],
    ["tcp6", true],
  ] as const) {
    const ports = readFileSync(`/proc/net/${file}`, "latin1")
      .split("\n")
      .filter((line) => line.split(/\s+/)[4] === "0A")
      .map((line) => Number.parseInt(line.split(/\s+/)[2]!.split(":")[1]!, 16));
    assert.deepEqual(
      dump("tcp", wide, 1 << LISTEN)
        .map((socket) => socket.localPort)
        .sort(),
      ports.sort(),
    );
  }
});
