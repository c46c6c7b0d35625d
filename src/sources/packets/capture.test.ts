// A capture whose socket was opened by somebody else. This file is the test, and, started with "listen" under setpriv,
// the process without privilege that gets the socket as descriptor 3.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { closeSync } from "node:fs";
import { createInterface } from "node:readline";
import test from "node:test";
import { MissingPartError } from "../../core/errors.ts";
import { captureFrom, openCapture, openSocket } from "./capture.ts";

const WITHOUT_PRIVILEGE = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];

if (process.argv[2] === "listen") listen();
else defineTests();

function listen(): void {
  const capture = captureFrom(3, {
    interfaces: ["lo"],
    onPacket: ({ bytes, start, end, direction }) => {
      if (direction === 0) console.log(Buffer.from(bytes.subarray(start + 28, end)).toString("latin1"));
    },
    emit: (event) => ({ ...event, v: 1, id: "", host: "", at: "" }),
  });
  console.log(`listening on ${capture.describe()}`);
  process.stdin.resume();
}

function defineTests(): void {
  test("a process without privilege hears through a socket that was handed to it", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs CAP_NET_RAW: run as root");
    if (spawnSync("setpriv", ["--version"]).status !== 0)
      return t.skip("needs setpriv: apt install util-linux");
    const fd = openSocket();
    const child = spawn("setpriv", [...WITHOUT_PRIVILEGE, process.execPath, import.meta.filename, "listen"], {
      stdio: ["pipe", "pipe", "inherit", fd],
      env: { ...process.env, NODE_COMPILE_CACHE: "" },
    });
    closeSync(fd);
    t.after(() => child.kill("SIGKILL"));
    const socket = createSocket("udp4");
    t.after(() => socket.close());
    const heard: string[] = [];
    for await (const line of createInterface({ input: child.stdout! })) {
      heard.push(line);
      if (heard.length === 1) socket.send("a word for descriptor 3", 9, "127.0.0.1");
      if (line === "a word for descriptor 3") break;
    }
    assert.equal(heard[0], "listening on lo");
  });

  test("a descriptor that is no packet socket is refused by name", () => {
    const emit = (event: object) => ({ ...event, v: 1, id: "", host: "", at: "" }) as never;
    assert.throws(
      () => captureFrom(2_000_000, { interfaces: [], onPacket: () => {}, emit }),
      (error) => error instanceof MissingPartError && /EBADF/.test(error.message),
    );
  });

  test("interfaces and loopback are described as they are watched", (t) => {
    const emit = (event: object) => ({ ...event, v: 1, id: "", host: "", at: "" }) as never;
    const described = (interfaces: string[], loopback?: boolean): string => {
      using capture = openCapture({ interfaces, loopback, onPacket: () => {}, emit });
      return capture.describe();
    };
    if (process.getuid?.() !== 0) return t.skip("needs CAP_NET_RAW: run as root");
    assert.equal(described([]), "all interfaces, loopback off");
    assert.equal(described(["any"], true), "all interfaces, loopback on");
    assert.equal(described(["lo", "nosuch0"]), "lo, nosuch0 (not there yet)");
    assert.equal(described(["lo"], false), "lo", "named is wanted");
  });
}
