// The kernel's own first decision, with real packets against a real kernel.
import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, isShut, listening } from "./backend.contract.ts";
import { readPacket } from "./backends/tripwire-log.ts";
import { tripwireScript } from "./backends/tripwire-rules.ts";
import { cannotLab, type Lab, makeLab } from "./testing/netns.ts";
import { Remote } from "./testing/remote.ts";

const scene = (title: string, body: (lab: Lab, guard: Remote) => Promise<void>) =>
  test(title, { timeout: 60_000 }, async (t) => {
    const why = cannotLab();
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
    const server = fileURLToPath(new URL("./testing/ssh-stand-in.ts", import.meta.url));
    lab.keep(lab.host, process.execPath, server, "listen");
    await listening(lab, 22);
    assert.deepEqual(
      await knocks(lab, "10.77.0.2", ...Array<number>(10).fill(443)),
      Array(10).fill("answered"),
    );
    assert.deepEqual(await knocks(lab, "10.77.0.2", 22, 22, 80, 22, 443), Array(5).fill("answered"));
    assert.deepEqual(guard.events, []);
  },
);

scene("a port that answered lately is no trap while its service restarts", async (lab, guard) => {
  for (const port of [2001, 2002, 2003, 2004]) {
    lab.run(lab.host, "nft", `add element inet telltale served { ${port} }`);
  }
  assert.deepEqual(await knocks(lab, "10.77.0.2", 2001, 2002, 2003, 2004), Array(4).fill("answered"));
  // The kernel itself notes who answers.
  const server = fileURLToPath(new URL("./testing/ssh-stand-in.ts", import.meta.url));
  lab.keep(lab.host, process.execPath, server, "listen");
  await listening(lab, 22);
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
