import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { peerOf } from "./peer-credentials.ts";

test("the kernel says who connected", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-peer-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const server = createServer();
  server.listen(join(dir, "s"));
  await once(server, "listening");
  t.after(() => server.close());
  const client = connect(join(dir, "s"));
  const [socket] = (await once(server, "connection")) as [Socket];
  assert.deepEqual(peerOf(socket), {
    pid: process.pid,
    uid: process.getuid!(),
    gid: process.getgid!(),
  });
  client.destroy();
  socket.destroy();
  await once(socket, "close");
  assert.throws(() => peerOf(socket), /no descriptor/);
});
