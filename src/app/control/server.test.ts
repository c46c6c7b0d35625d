import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import fc from "fast-check";
import { waitFor } from "../../../tests/system/wait.ts";
import type { Event } from "../../core/events.ts";
import type { ShownBlock } from "../shown-blocks.ts";
import { askBlocks, askMetrics, askReload, askStatus, followEvents } from "./client.ts";
import { parseRequest } from "./parse.ts";
import { type ControlServer, serveControl } from "./server.ts";
import { type Controlled, type GuardStatus, REQUESTS } from "./types.ts";

const BLOCKS: readonly ShownBlock[] = [
  {
    target: "192.0.2.7",
    since: "2026-01-02T03:04:05.000Z",
    until: "2026-01-02T04:04:05.000Z",
    because: "12 ports within 4 s",
    grade: "proven",
    findingId: "f1",
    packetsStopped: 1_234,
    timesBefore: 2,
  },
];
const STATUS = { version: "1", host: "h", parts: [] } as unknown as GuardStatus;

function fakeGuard() {
  const listeners = new Set<(event: Event) => void>();
  const stops: string[] = [];
  const guard: Controlled = {
    status: () => STATUS,
    blocks: async () => BLOCKS,
    metrics: () => "telltale_up 1\n",
    reload: async () => ({ changes: ["a: 1 is now 2"] }),
    stop: (because) => void stops.push(because),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return { guard, listeners, stops };
}

async function served(
  t: TestContext,
  guard: Controlled,
  group = "",
): Promise<ControlServer & { dir: string }> {
  const dir = mkdtempSync(join(tmpdir(), "telltale-control-"));
  chmodSync(dir, 0o755);
  const server = await serveControl({ path: join(dir, "control.sock"), group, guard });
  t.after(async () => {
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { ...server, dir };
}

/** Sends bytes and returns everything that comes back until the server closes. */
async function raw(path: string, bytes: string | Buffer): Promise<string> {
  const socket = connect(path);
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
  socket.on("error", () => {}); // a reset is an answer too
  socket.write(bytes);
  await once(socket, "close");
  return text;
}

test("answers status, metrics and reload", async (t) => {
  const { guard } = fakeGuard();
  const { path } = await served(t, guard);
  assert.deepEqual(await askStatus(path), STATUS);
  assert.deepEqual(await askBlocks(path), BLOCKS);
  assert.equal(await askMetrics(path), "telltale_up 1\n");
  assert.deepEqual(await askReload(path), { changes: ["a: 1 is now 2"] });
});

test("speaks HTTP to a Prometheus, for metrics only", async (t) => {
  const { guard } = fakeGuard();
  const { path } = await served(t, guard);
  const answer = await raw(path, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 14\r\n[\s\S]*\r\n\r\ntelltale_up 1\n$/);
  assert.match(await raw(path, "POST /reload HTTP/1.1\r\n\r\n"), /"ok":false.*is not JSON/);
});

test("sends events as they happen, and forgets a listener who left", async (t) => {
  const { guard, listeners } = fakeGuard();
  const { path } = await served(t, guard);
  const heard: Event[] = [];
  const socket = connect(path);
  socket.write('{"do":"events"}\n');
  await once(socket, "data");
  const follower = followEvents(path, (event) => heard.push(event));
  await waitFor("both followers", () => listeners.size === 2);
  for (const listener of listeners) listener({ type: "guard.stopped", because: "x" } as Event);
  await waitFor("the event", () => heard.length === 1);
  socket.destroy();
  await waitFor("one to leave", () => listeners.size === 1);
  for (const listener of listeners) listener({ type: "guard.stopped", because: "y" } as Event);
  await waitFor("the second event", () => heard.length === 2);
  t.after(() => follower);
});

test("a follower who never reads is cut off, and costs a bounded piece of memory", async (t) => {
  const { guard, listeners } = fakeGuard();
  const { path } = await served(t, guard);
  const socket = connect(path);
  t.after(() => socket.destroy());
  socket.pause();
  socket.write('{"do":"events"}\n');
  await waitFor("the follower", () => listeners.size === 1);
  const event = { type: "guard.stopped", because: "x".repeat(10_000) } as Event;
  let sent = 0;
  while (listeners.size > 0 && sent < 2_000) {
    for (const listener of listeners) listener(event);
    sent++;
    if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await waitFor("the cut", () => listeners.size === 0);
  assert.ok(sent < 1_000, `${sent} events of 10 kB were kept for it`);
  assert.deepEqual(await askStatus(path), STATUS);
});

test("whoever sends nonsense is refused or closed, and the guard answers on", async (t) => {
  const { guard, stops } = fakeGuard();
  const { path } = await served(t, guard);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const answer = await raw(path, Buffer.concat([bytes, Buffer.from("\n")]));
      assert.match(answer, /^\{"ok":false,"why":".*","mend":".*"\}\n$/);
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 30) },
  );
  assert.match(await raw(path, "x".repeat(100_000)), /^(\{"ok":false.*longer than 4096 bytes.*\n)?$/);
  assert.deepEqual(stops, []);
  assert.deepEqual(await askStatus(path), STATUS);
});

test("many who connect and say nothing are not many for long, and root's own way in stays bounded", async (t) => {
  const { guard } = fakeGuard();
  const { path } = await served(t, guard);
  const idle: Socket[] = Array.from({ length: 40 }, () => connect(path).on("error", () => {}));
  t.after(() => {
    for (const socket of idle) socket.destroy();
  });
  const open = () => idle.filter((socket) => !socket.destroyed && !socket.closed).length;
  await waitFor("the surplus to be closed", () => open() <= 16);
  await waitFor("the silent to be closed", () => open() === 0);
  assert.deepEqual(await askStatus(path), STATUS);
});

test("a request is one of the closed list and nothing else", () => {
  for (const request of REQUESTS)
    assert.deepEqual(parseRequest(`{"do":"${request}"}`), { do: request, http: false });
  for (const line of [
    "",
    "null",
    "[]",
    '"status"',
    '{"do":"exec"}',
    '{"do":["status"]}',
    "{}",
    '{"do":"stop","x":1}',
  ]) {
    assert.ok("fault" in parseRequest(line), line);
  }
});

test("the group may read, and only root may change", async (t) => {
  if (process.getuid!() !== 0) return t.skip("needs root to be somebody else");
  const { guard, stops } = fakeGuard();
  const { path } = await served(t, guard, "adm");
  assert.equal(lstatSync(path).mode & 0o777, 0o660);
  const ask = async (what: string, ids: readonly string[]) => {
    const script = `const s=require("net").connect(${JSON.stringify(path)});s.on("error",e=>console.log(e.code));s.on("data",d=>process.stdout.write(d));s.write('{"do":"${what}"}\\n')`;
    const { spawn } = await import("node:child_process");
    const child = spawn("setpriv", [...ids, process.execPath, "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text));
    await once(child, "close");
    return out;
  };
  if (spawnSync("setpriv", ["--version"]).status !== 0)
    return t.skip("needs setpriv: apt install util-linux");
  const reader = ["--reuid=65534", "--regid=65534", "--groups=4"];
  assert.match(await ask("status", reader), /"ok":true/);
  assert.match(await ask("blocks", reader), /"ok":true/);
  assert.match(await ask("stop", reader), /"ok":false,"why":"only root may stop the guard"/);
  assert.match(await ask("reload", reader), /only root may reload/);
  assert.match(await ask("status", ["--reuid=65534", "--regid=65534", "--clear-groups"]), /EACCES/);
  assert.deepEqual(stops, []);
});

test("without that group only root may ask, and it is said", async (t) => {
  const { guard } = fakeGuard();
  const { path, notice } = await served(t, guard, "no-such-group");
  assert.match(notice, /there is no group no-such-group/);
  assert.equal(lstatSync(path).mode & 0o777, 0o600);
});

test("what a dead guard left is replaced; a living one and other files are not", async (t) => {
  const { guard } = fakeGuard();
  const { path, dir } = await served(t, guard);
  await assert.rejects(serveControl({ path, group: "", guard }), /another guard answers there/);
  const other = join(dir, "file");
  writeFileSync(other, "mine");
  await assert.rejects(serveControl({ path: other, group: "", guard }), /is no socket/);
  const left = join(dir, "left.sock");
  const script = `require("net").createServer().listen(${JSON.stringify(left)},()=>process.kill(process.pid,"SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  assert.ok(existsSync(left));
  const again = await serveControl({ path: left, group: "", guard });
  assert.deepEqual(await askStatus(left), STATUS);
  await again.close();
  await assert.rejects(serveControl({ path: join(dir, "x".repeat(120)), group: "", guard }), /107 at most/);
});

test("without a guard the error says how to start one", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-control-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  await assert.rejects(askStatus(join(dir, "none")), (error: Error & { mend: string }) => {
    assert.match(error.message, /no guard answers/);
    assert.match(error.mend, /systemctl start telltale/);
    return true;
  });
});
