// The kernel's own first decision, with real packets against a real kernel.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, isShut, listening } from "./backend.contract.ts";
import { readPacket } from "./backends/tripwire-log.ts";
import { tripwireScript } from "./backends/tripwire-rules.ts";
import { cannotLab, type Lab, makeLab } from "./testing/netns.ts";
import { Remote } from "./testing/remote.ts";

const scene = (title: string, body: (lab: Lab, guard: Remote) => Promise<void>, tool = "") =>
  test(title, { timeout: 60_000 }, async (t) => {
    const needs =
      tool === "" || spawnSync(tool, ["--version"]).status === 0
        ? null
        : `needs ${tool}: apt install ${tool}`;
    const why = cannotLab() ?? needs;
    if (why !== null) return t.skip(why);
    const lab = makeLab(t);
    const guard = new Remote(t, lab.host, "./responder-child.ts", "tripwire");
    await guard.ask("restore");
    assert.deepEqual(guard.of("part.failed"), []);
    await body(lab, guard);
  });

const knocks = async (lab: Lab, from: string, ...ports: number[]): Promise<string[]> => {
  const heard: string[] = [];
  for (const port of ports) heard.push(await lab.knock(from, port));
  return heard;
};

const listing = (lab: Lab) => lab.attempt(lab.host, "nft", "list", "table", "inet", "telltale").stdout;

scene("the third distinct unused port gets no answer, and the verdict follows", async (lab, guard) => {
  assert.deepEqual(await knocks(lab, "10.77.0.2", 1001, 1002, 1003, 1001), [
    "answered",
    "answered",
    "silent",
    "silent",
  ]);
  await eventually(
    "the verdict to take over",
    2_000,
    async () => guard.of("block.applied"),
    (applied) => applied.length === 1,
  );
  const { scan } = guard.of("scan.detected")[0]!;
  assert.equal(scan.source, "10.77.0.2");
  assert.equal(scan.grade, "spoofable");
  assert.deepEqual(
    scan.probes.map(({ port, target, kind }) => [port, target, kind]),
    [[1003, "10.77.0.1", "syn"]],
  );
  assert.match(scan.reason, /3 distinct unused ports within a minute; the kernel blocked at the packet/);
  assert.match(listing(lab), /10\.77\.0\.2 .*timeout (9m|1\dm)/);
  assert.deepEqual(await knocks(lab, "10.77.0.3", 1001), ["answered"]);
});

scene("ports that are not to count, as those that somebody knocks at, do not", async (lab, guard) => {
  for (const from of ["10.77.0.2", "2001:db8:77::2"]) {
    const three = ["answered", "answered", "answered"];
    assert.deepEqual(await knocks(lab, from, 7000, 8000, 9000), three);
    assert.deepEqual(await knocks(lab, from, 1001, 1002, 1003), ["answered", "answered", "silent"]);
  }
  assert.equal(guard.of("scan.detected").length > 0, true);
});

scene("over IPv6 too, though the addresses of one network change", async (lab, guard) => {
  assert.deepEqual(await knocks(lab, "2001:db8:77::2", 1001), ["answered"]);
  assert.deepEqual(await knocks(lab, "2001:db8:77::3", 1002, 1003), ["answered", "silent"]);
  await eventually(
    "the verdict on the network",
    2_000,
    async () => guard.of("block.applied"),
    (applied) => applied.length === 1,
  );
  assert.equal(guard.of("block.applied")[0]!.target, "2001:db8:77::/64");
  await isShut(lab, "2001:db8:77::2");
});

scene(
  "the mistaken visitor who tries one closed port ten times stays unblocked, as does whoever uses what is open",
  async (lab, guard) => {
    await serveSsh(lab);
    assert.deepEqual(
      await knocks(lab, "10.77.0.2", ...Array<number>(10).fill(443)),
      Array(10).fill("answered"),
    );
    assert.deepEqual(await knocks(lab, "10.77.0.2", 22, 22, 80, 22, 443), Array(5).fill("answered"));
    assert.deepEqual(guard.events, []);
  },
);

const serveSsh = async (lab: Lab) => {
  const server = fileURLToPath(new URL("./testing/ssh-stand-in.ts", import.meta.url));
  lab.keep(lab.host, process.execPath, server, "listen");
  await listening(lab, 22);
};

const knownAsVisitor = (lab: Lab, address: string) =>
  eventually(
    `${address} to be known as a visitor`,
    5_000,
    async () => listing(lab),
    (text) => new RegExp(`set visitors[46] \\{[^}]*${address} expires`).test(text),
  );

const upFrom = (first: number, count: number) => Array.from({ length: count }, (_, n) => first + n);

for (const [name, from, network] of [
  ["an address", "10.77.0.2", "10.77.0.2"],
  ["an IPv6 network", "2001:db8:77::2", "2001:db8:77::"],
] as const) {
  scene(`two hundred people behind ${name} mistype now and then and are served on`, async (lab, guard) => {
    await serveSsh(lab);
    for (let person = 0; person < 200; person++) {
      assert.equal(await lab.knock(from, 22), "answered", `person ${person}`);
      if (person === 0) await knownAsVisitor(lab, network);
      if (person % 40 === 20) assert.equal(await lab.knock(from, 8000 + person), "answered", `${person}`);
    }
    assert.deepEqual(guard.events, []);
  });
}

scene(
  "a visitor who turns scanner is shut out at the twelfth port, and the finding says so",
  async (lab, guard) => {
    await serveSsh(lab);
    await lab.knock("10.77.0.2", 22);
    await knownAsVisitor(lab, "10.77.0.2");
    assert.deepEqual(await knocks(lab, "10.77.0.2", ...upFrom(1001, 11)), Array(11).fill("answered"));
    assert.deepEqual(await knocks(lab, "10.77.0.2", 1012, 22), ["silent", "silent"]);
    await eventually(
      "the finding",
      5_000,
      async () => guard.of("scan.detected"),
      (found) => found.length === 1,
    );
    assert.match(guard.of("scan.detected")[0]!.scan.reason, /^12 distinct unused ports within a minute/);
    // The neighbours have as little patience to expect as before.
    assert.deepEqual(await knocks(lab, "10.77.0.3", 1001, 1002, 1003), ["answered", "answered", "silent"]);
  },
);

scene("whom the host itself calls is no visitor", async (lab) => {
  const server = fileURLToPath(new URL("./testing/ssh-stand-in.ts", import.meta.url));
  lab.keep(lab.stranger, process.execPath, server, "listen");
  const call = `let left = 200; const go = () => { const s = require("net").connect(22, "10.77.0.2"); s.on("error", () => --left > 0 ? setTimeout(go, 50) : process.exit(1)).on("connect", () => s.end()).on("close", (bad) => bad || process.exit(0)); s.resume() }; go()`;
  await lab.start(lab.host, process.execPath, "-e", call);
  assert.doesNotMatch(listing(lab), /set visitors4 \{[^}]*expires/);
  assert.deepEqual(await knocks(lab, "10.77.0.2", 1001, 1002, 1003), ["answered", "answered", "silent"]);
});

// nmap -sS never completes a handshake; -sT does, and is greeted.
for (const [how, answered] of [
  ["-sS", 2],
  ["-sT", 11],
] as const) {
  const body = async (lab: Lab, guard: Remote) => {
    const greet = `require("net").createServer((s) => s.on("error", () => {}).end("hello")).listen(22)`;
    lab.keep(lab.host, process.execPath, "-e", greet);
    await listening(lab, 22);
    const options = "-n -Pn -r --max-retries 0 --max-parallelism 1 --host-timeout 15s -oG -".split(" ");
    const found = await lab.start(lab.stranger, "nmap", how, ...options, "-p", "22,1001-1030", "10.77.0.1");
    assert.match(found, /22\/open/);
    const closed = found.match(/\/closed\//g)?.length ?? 0;
    assert.ok(closed <= answered, found);
    await eventually(
      "the finding",
      5_000,
      async () => guard.of("scan.detected"),
      (scans) => scans.length === 1,
    );
    await isShut(lab, "10.77.0.2");
  };
  scene(`nmap ${how} finds the open port and ${answered} closed ones at most`, body, "nmap");
}

scene("a port that answered lately is no trap while its service restarts", async (lab, guard) => {
  for (const port of [2001, 2002, 2003, 2004]) {
    lab.run(lab.host, "nft", `add element inet telltale served { ${port} }`);
  }
  assert.deepEqual(await knocks(lab, "10.77.0.2", 2001, 2002, 2003, 2004), Array(4).fill("answered"));
  // The kernel itself notes who answers.
  await serveSsh(lab);
  assert.equal(await lab.knock("10.77.0.2", 22), "answered");
  assert.match(lab.run(lab.host, "nft", "list set inet telltale served"), /elements = \{.*22 expires/s);
  assert.deepEqual(guard.events, []);
});

scene("one touch of a tripwire port is enough", async (lab, guard) => {
  assert.deepEqual(await knocks(lab, "10.77.0.2", 23, 1001), ["silent", "silent"]);
  await eventually(
    "the finding",
    2_000,
    async () => guard.of("scan.detected"),
    (found) => found.length === 1,
  );
  assert.equal(guard.of("scan.detected")[0]!.scan.shape, "tripwire");
});

scene("whoever is allowed may touch what they like", async (lab, guard) => {
  await guard.ask("allow", { targets: ["10.77.0.2"] });
  assert.deepEqual(await knocks(lab, "10.77.0.2", 23, 1001, 1002, 1003, 1004), Array(5).fill("answered"));
  assert.deepEqual(guard.of("scan.detected"), []);
});

scene(
  "it is put back with the table, and taken out when the guard observes or ends; blocks stay",
  async (lab, guard) => {
    lab.run(lab.host, "nft", "flush", "ruleset");
    await eventually(
      "the tripwire",
      1_000,
      async () => listing(lab),
      (text) => text.includes("chain tripwire"),
    );
    assert.deepEqual(await knocks(lab, "10.77.0.2", 1001, 1002, 1003), ["answered", "answered", "silent"]);
    await guard.ask("mode", { targets: ["observe"] });
    assert.doesNotMatch(listing(lab), /chain tripwire|touched4/);
    await guard.ask("mode", { targets: ["block"] });
    assert.match(listing(lab), /chain tripwire/);
    await guard.ask("close");
    assert.doesNotMatch(listing(lab), /chain tripwire|touched4/);
    await isShut(lab, "10.77.0.2");
  },
);

test("the rules of the tripwire, as the kernel is told to make them", (t) => {
  t.assert.fileSnapshot(
    tripwireScript({ ports: [23, 3389] }),
    `${import.meta.dirname}/backends/tripwire.snapshot`,
    {
      serializers: [(text: string) => text],
    },
  );
});

test("a logged packet that is cut short or odd is no evidence", () => {
  for (const length of [0, 1, 19, 23, 39, 43]) {
    const packet = new Uint8Array(length).fill(0x45);
    if (length > 9) packet[9] = 6;
    if (length >= 39) packet[0] = 0x60;
    assert.equal(readPacket(packet), null, `${length} bytes`);
  }
  assert.equal(readPacket(new Uint8Array(60).fill(0x4f)), null);
});

test("whom an earlier run slowed down the kernel leaves alone", { timeout: 60_000 }, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  // What a guard that was killed leaves behind.
  lab.run(
    lab.host,
    "nft",
    "add table inet telltale; add set inet telltale slowed4_32 { type ipv4_addr; flags dynamic, timeout; size 262144; limit rate over 10/minute burst 5 packets; counter; }; add element inet telltale slowed4_32 { 10.77.0.2 timeout 10m }",
  );
  const guard = new Remote(t, lab.host, "./responder-child.ts", "tripwire");
  await guard.ask("restore");
  assert.match(listing(lab), /set spared4 \{[^}]*10\.77\.0\.2 /);
  assert.deepEqual(await knocks(lab, "10.77.0.2", 1001, 1002, 1003, 1004), Array(4).fill("answered"));
  assert.deepEqual(await knocks(lab, "10.77.0.3", 1001, 1002, 1003), ["answered", "answered", "silent"]);
});
