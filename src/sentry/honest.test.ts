// Whoever is no scanner, played with real programs: what they do looks like a scan to somebody who only counts packets.
import assert from "node:assert/strict";
import test from "node:test";
import { scene, until } from "../../tests/system/sentry-process.ts";

const PYTHON = "/usr/bin/python3";

// One control port, and a port of its own for each transfer, open only until somebody came.
const PASSIVE = `
import socket
control = socket.socket(); control.setsockopt(1, 2, 1); control.bind(("", 2121)); control.listen(8)
print("ready", flush=True)
while True:
  c, _ = control.accept()
  f = c.makefile("rw")
  for line in f:
    data = socket.socket(); data.bind(("", 0)); data.listen(1)
    f.write("%d\\n" % data.getsockname()[1]); f.flush()
    d, _ = data.accept()
    data.close(); d.sendall(b"a file"); d.close()
`;
const TRANSFERS = `
import socket, sys
f = socket.create_connection((sys.argv[1], 2121), 10).makefile("rw")
for i in range(100):
  f.write("PASV\\n"); f.flush()
  d = socket.create_connection((sys.argv[1], int(f.readline())), 10)
  while d.recv(100): pass
  d.close()
print("done")
`;

test("a hundred transfers of passive FTP, each to a port of its own, are no scan", async (t) => {
  await scene(t, {}, [], async (made, watcher) => {
    const server = made.start("host", [PYTHON, "-c", PASSIVE]);
    let said = "";
    server.stdout!.on("data", (data) => (said += data));
    await until("the server", () => said.includes("ready"));
    const client = made.run("stranger", [PYTHON, "-c", TRANSFERS, made.clients[0]!.host4]);
    assert.equal(client.stdout, "done\n", client.stderr);
    await watcher.end();
    assert.deepEqual(watcher.events, []);
  });
});

// As many at once as make the sentry look at a sample of them only; five of them mistype, each in another way.
const OFFICE = `
import socket, sys, time
held = []
for i in range(400):
  held.append(socket.create_connection((sys.argv[1], 80), 10))
time.sleep(0.6)
for i in range(400):
  held.append(socket.create_connection((sys.argv[1], 80), 10))
for port in (443, 8080, 8443, 22, 25):
  try: socket.create_connection((sys.argv[1], port), 2)
  except OSError: pass
print("done", flush=True)
time.sleep(60)
`;

test("an office of hundreds behind one address, five of whom mistype a port, is no scanner", async (t) => {
  await scene(t, {}, ["socat"], async (made, watcher) => {
    const { host4 } = made.clients[0]!;
    const serve = `
import socket, threading
s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(("", 80)); s.listen(1024)
print("ready", flush=True)
kept = []
while True: kept.append(s.accept())
`;
    const server = made.start("host", [PYTHON, "-c", serve]);
    let said = "";
    server.stdout!.on("data", (data) => (said += data));
    await until("the server", () => said.includes("ready"));
    const office = made.start("stranger", [PYTHON, "-c", OFFICE, host4]);
    let heard = "";
    office.stdout!.on("data", (data) => (heard += data));
    await until("the office", () => heard.includes("done"));
    // Its connections stand until everything that came of it has been weighed.
    let before = -1;
    await until("silence", async () => {
      const now = await watcher.packets();
      const isSilent = now === before;
      before = now;
      return isSilent;
    });
    const counters = await watcher.end();
    assert.ok(counters.probes >= 5, "the mistakes were seen");
    assert.deepEqual(watcher.scans, []);
  });
});

test("visitors whose service restarts under them are no scanners", async (t) => {
  await scene(t, {}, ["socat"], async (made, watcher) => {
    const { host4 } = made.clients[0]!;
    const ports = [8001, 8002, 8003, 8004, 8005, 8006];
    const visit = (port: number): string =>
      made.run("stranger", ["socat", "-t5", "-", `TCP:${host4}:${port},connect-timeout=1`]).stdout;
    const services = ports.map((port) =>
      made.start("host", ["socat", `TCP-LISTEN:${port},fork,reuseaddr`, "SYSTEM:echo hello"]),
    );
    for (const port of ports) await until(`port ${port}`, () => visit(port) === "hello\n");
    // The picture of the open ports is renewed every ten seconds; a visit to each makes them known at once.
    const ended = services.map((child) => new Promise((resolve) => child.on("exit", resolve)));
    for (const child of services) child.kill("SIGKILL");
    await Promise.all(ended);
    for (const port of ports) visit(port);
    await watcher.end();
    assert.deepEqual(watcher.scans, []);
  });
});
