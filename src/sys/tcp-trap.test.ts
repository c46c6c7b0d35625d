import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import test from "node:test";
import { SystemCallError } from "../core/errors.ts";
import { TcpTrap, type TrappedConnection } from "./tcp-trap.ts";

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "::");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function until(what: string, done: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!done()) {
    if (performance.now() > endMs) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("knows the address of who connects and resets at once, in both families", async (t) => {
  const port = await freePort();
  const seen: string[] = [];
  const trap = new TcpTrap(port, (source, connection) => {
    seen.push(source);
    connection.close();
  });
  t.after(() => trap.close());
  for (const host of ["127.0.0.1", "::1"]) {
    const client = connect(port, host);
    client.on("error", () => {});
    client.on("connect", () => client.resetAndDestroy());
    await until(host, () => seen.includes(host));
  }
});

test("what is sent arrives although the peer had said something nobody read", async (t) => {
  const port = await freePort();
  let caught: TrappedConnection | null = null;
  const trap = new TcpTrap(port, (_, connection) => (caught = connection));
  t.after(() => trap.close());
  const client = connect(port, "127.0.0.1");
  let heard = "";
  client.on("data", (data) => (heard += data));
  client.write("hello");
  await until("the connection", () => caught !== null);
  caught!.send("go away");
  caught!.finish();
  await until("the banner", () => heard === "go away");
  await until("the end", () => client.closed);
  caught!.close();
  caught!.close();
  caught!.send("to nobody");
});

test("a port in use is an error that says so", async (t) => {
  const server = createServer().listen(0, "::");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  assert.throws(
    () => new TcpTrap(port, () => {}),
    (error) => error instanceof SystemCallError && error.code === "EADDRINUSE",
  );
});
