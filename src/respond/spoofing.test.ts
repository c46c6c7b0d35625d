// Packets that bear somebody else's address, on a real wire, against the quickest part of the guard: the kernel.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, isOpen, isShut, listening } from "./backend.contract.ts";
import { cannotLab, type Lab, makeLab } from "./testing/netns.ts";
import { Remote } from "./testing/remote.ts";

const FORGE = fileURLToPath(new URL("./testing/forge.py", import.meta.url));
const SSH = fileURLToPath(new URL("./testing/ssh-stand-in.ts", import.meta.url));

const scene = (title: string, body: (lab: Lab, guard: Remote, forge: Forge) => Promise<void>) =>
  test(title, { timeout: 90_000 }, async (t) => {
    const scapy = () =>
      spawnSync("/usr/bin/python3", ["-c", "import scapy"]).status === 0
        ? null
        : "needs scapy: apt install python3-scapy";
    const why = cannotLab() ?? scapy();
    if (why !== null) return t.skip(why);
    const lab = makeLab(t);
    const mac = /ether ([0-9a-f:]+)/.exec(lab.run(lab.host, "ip", "link", "show", "veth0"))![1]!;
    const guard = new Remote(t, lab.host, "./responder-child.ts", "tripwire");
    await guard.ask("restore");
    await body(lab, guard, (target, ports, ...sources) =>
      lab.start(lab.stranger, "/usr/bin/python3", FORGE, "veth0", mac, target, ports, ...sources),
    );
  });

type Forge = (target: string, ports: string, ...sources: string[]) => Promise<string>;

const blocked = (lab: Lab) =>
  [
    ...lab
      .run(lab.host, "nft", "list", "table", "inet", "telltale")
      .matchAll(/([0-9a-f.:]+)(?: counter packets \d+ bytes \d+)? timeout/g),
  ].map(([, address]) => address!);

scene(
  "a forged scan in the name of gateway, host, resolver or SSH peer blocks none of them",
  async (lab, guard, forge) => {
    lab.keep(lab.host, process.execPath, SSH, "listen");
    await listening(lab, 22);
    lab.keep(lab.stranger, process.execPath, SSH, "connect", "10.77.0.3", "10.77.0.1");
    await eventually(
      "the session to be known",
      8_000,
      async () => JSON.stringify(await guard.ask("guarded")),
      (guarded) => guarded.includes("live SSH session"),
    );
    await guard.ask("tick");
    await forge(
      "10.77.0.1",
      "1,2,3,4,5,23",
      "10.77.0.1",
      "10.77.0.9",
      "10.77.0.3",
      "10.77.0.255",
      "127.0.0.1",
      "0.0.0.0",
      "224.0.0.1",
      "169.254.3.3",
    );
    await forge("fd77::1", "1,2,3,4,5,23", "fd77::1", "fd77::9", "fe80::1", "::1");
    // The stranger in its own name, sent last: once it is blocked, all the others have been looked at.
    await forge("10.77.0.1", "1,2,3", "10.77.0.4");
    await eventually(
      "the stranger's block",
      3_000,
      async () => blocked(lab),
      (addresses) => addresses.includes("10.77.0.4"),
    );
    assert.deepEqual(blocked(lab), ["10.77.0.4"]);
    await isOpen(lab, "10.77.0.3", "10.77.0.9");
    await isShut(lab, "10.77.0.4");
  },
);

scene(
  "four hundred forged sources: the kernel stops at its cap, and an honest client gets through",
  async (lab, guard, forge) => {
    await forge("10.77.0.1", "1,2,3,4", "10.99.0.0/25", "10.98.0.0/25", "10.97.0.0/25");
    await eventually(
      "the kernel's cap",
      5_000,
      async () => guard.of("scan.detected").length,
      (count) => count >= 60,
    );
    // The limit lets one more through each second that passes.
    assert.ok(blocked(lab).length <= 75, `${blocked(lab).length} blocked`);
    await isOpen(lab, "10.77.0.5");
  },
);

scene(
  "nobody is taken for a visitor by forged packets, though the host answers them",
  async (lab, guard, forge) => {
    lab.keep(lab.host, process.execPath, SSH, "listen");
    await listening(lab, 22);
    // Openings, then what a connection would go on with: a SYN-ACK, challenge ACKs and resets are what comes back.
    const attempt = "22,22:A,22:PA,22:FA,22:S,22:FPU,22:R";
    await forge("10.77.0.1", attempt, "10.99.0.0/26", "10.77.0.2");
    await forge("fd77::1", attempt, "2001:db8:77::2", "2001:db8:77::3");
    // Whoever really connects is one; once that is seen, all the others have been looked at.
    assert.equal(await lab.knock("10.77.0.5", 22), "answered");
    const visitors = (family: number) =>
      lab.run(lab.host, "nft", "list", "set", "inet", "telltale", `visitors${family}`);
    await eventually(
      "the visitor",
      5_000,
      async () => visitors(4),
      (text) => text.includes("10.77.0.5 "),
    );
    assert.deepEqual(visitors(4).match(/[0-9.]+ expires/g), ["10.77.0.5 expires"]);
    assert.doesNotMatch(visitors(6), /expires/);
    assert.deepEqual(guard.of("scan.detected"), []);
  },
);
