// What the kernel's tripwire tells, read by a process without any right. This file is the test; started with "bind" it is the
// privileged process, in a network namespace of its own, and with "hear" the one that gets the socket as descriptor 3.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { closeSync } from "node:fs";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import test from "node:test";
import {
  attribute,
  joined,
  NetfilterSocket,
  NFNLGRP_NFTABLES,
  NLM_F_ACK,
  NLMSG_ERROR,
  nfgenmsg,
  SUBSYSTEM,
} from "../../sys/netfilter-netlink.ts";
import { socketCalls } from "../../sys/socket-calls.ts";
import { hearHandedTouches, hearTouches } from "./tripwire-log.ts";

const GROUP = 7;
const PORT = 9;
const WITHOUT_PRIVILEGE = [
  "--reuid=65534",
  "--regid=65534",
  "--clear-groups",
  "--bounding-set=-all",
  "--inh-caps=-all",
  "--no-new-privs",
];
const RULES = `table inet t { chain c { type filter hook input priority 0; iifname "lo" tcp dport ${PORT} tcp flags syn log prefix "here" group ${GROUP} drop; }; }`;

const start = (argv: readonly string[], fd: number | "ignore") =>
  spawn(argv[0]!, argv.slice(1), {
    stdio: ["pipe", "pipe", "inherit", fd],
    env: { ...process.env, NODE_COMPILE_CACHE: "" },
  });
const itself = (as: string) => [process.execPath, import.meta.filename, as];

if (process.argv[2] === "bind") bind();
else if (process.argv[2] === "hear") hear();
else defineTests();

function bind(): void {
  const fail = (why: unknown): void => void console.log(`in vain: ${String(why)}`);
  assert.equal(spawnSync("ip", ["link", "set", "lo", "up"]).status, 0);
  const ear = hearTouches(GROUP, 128, fail, fail);
  const { status, stderr } = spawnSync("nft", [RULES], { encoding: "utf8" });
  if (status !== 0) fail(stderr);
  const fd = ear.handOver() ?? assert.fail();
  assert.equal(ear.handOver(), null);
  const child = start(["setpriv", ...WITHOUT_PRIVILEGE, ...itself("hear")], fd);
  closeSync(fd);
  child.stdout!.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk);
    if (!chunk.toString().includes("hearing")) return;
    // Nobody answers: the kernel sends it again in a second, and that is heard as well.
    connect(PORT, "127.0.0.1").on("error", () => {});
  });
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(0));
}

function hear(): void {
  const refusals: string[] = [];
  const asked = new NetfilterSocket({
    fd: 3,
    onMessage: ({ type, payload }) => {
      if (type !== NLMSG_ERROR) return;
      const errno = -new DataView(payload.buffer, payload.byteOffset).getInt32(0, true);
      if (errno === 0) return; // an answer to whoever had it before
      refusals.push(`errno ${errno}`);
      const joins = socketCalls().setsockopt(3, 270, 1, Uint32Array.of(NFNLGRP_NFTABLES), 4);
      refusals.push(joins < 0 ? "cannot join" : "joined");
      console.log(refusals.join(", "));
      asked.release();
      hearHandedTouches(
        3,
        ({ source, target, port, prefix }) => console.log(`${prefix}: ${source} ${target} ${port}`),
        (why) => console.log(`deaf: ${why}`),
      );
      console.log("hearing");
    },
    onOverrun: () => {},
  });
  const command = attribute(1, Uint8Array.of(1)); // NFULA_CFG_CMD: bind
  asked.send((SUBSYSTEM.ulog << 8) | 1, NLM_F_ACK, joined(nfgenmsg(0, GROUP + 1), command));
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(0));
}

function defineTests(): void {
  test("a process without privilege hears what was bound for it, and can bind or join nothing else", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs root for a network namespace");
    for (const [tool, name] of [
      ["nft", "nftables"],
      ["setpriv", "util-linux"],
      ["ip", "iproute2"],
    ] as const)
      if (spawnSync(tool, ["-V"]).error !== undefined) return t.skip(`needs ${tool}: apt install ${name}`);
    const child = start(["unshare", "-n", ...itself("bind")], "ignore");
    t.after(() => child.kill("SIGKILL"));
    const heard: string[] = [];
    for await (const line of createInterface({ input: child.stdout! })) {
      heard.push(line);
      if (/^(here|in vain|deaf):/.test(line)) break;
    }
    assert.deepEqual(heard, ["errno 1, cannot join", "hearing", `here: 127.0.0.1 127.0.0.1 ${PORT}`]);
  });
}
