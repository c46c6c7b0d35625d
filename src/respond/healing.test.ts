// The guard's blocks against everybody who might take them apart, in a real kernel.
import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, isOpen, isShut, listening } from "./backend.contract.ts";
import { cannotLab, type Lab, makeLab } from "./testing/netns.ts";
import { Remote } from "./testing/remote.ts";

const scene = (title: string, body: (lab: Lab, guard: Remote) => Promise<void>) =>
  test(title, { timeout: 60_000 }, async (t) => {
    const why = cannotLab();
    if (why !== null) return t.skip(why);
    const lab = makeLab(t);
    const guard = new Remote(t, lab.host, "./responder-child.ts");
    await guard.ask("restore");
    await body(lab, guard);
  });

const listing = (lab: Lab) => lab.attempt(lab.host, "nft", "list", "table", "inet", "telltale").stdout;
const holds = (lab: Lab, address: string) =>
  eventually(
    `the block of ${address}`,
    1_000,
    async () => listing(lab),
    (text) => text.includes(`${address} `),
  );

scene("someone flushes the ruleset: table and blocks are back within a second", async (lab, guard) => {
  await guard.ask("scan", { targets: ["10.77.0.2", "2001:db8:77::2"] });
  await isShut(lab, "10.77.0.2", "2001:db8:77::2");
  for (let round = 0; round < 3; round++) {
    lab.run(lab.host, "nft", "flush", "ruleset");
    await holds(lab, "10.77.0.2");
    await isShut(lab, "10.77.0.2", "2001:db8:77::3");
  }
  assert.match(guard.of("part.failed")[0]!.why, /took apart what carries the blocks/);
  assert.match(guard.of("part.recovered")[0]!.how, /2 blocks are back in the firewall/);
  assert.equal(guard.of("part.failed").length, 1, "the same trouble within a minute is said once");
});

scene("a block between the flush and the look at it does not hide what was lost", async (lab, guard) => {
  await guard.ask("scan", { targets: ["10.77.0.2"] });
  for (const scanner of ["10.77.0.3", "10.77.0.4", "10.77.0.5"]) {
    lab.run(lab.host, "nft", "flush", "ruleset");
    await guard.ask("scan", { targets: [scanner] });
    await holds(lab, "10.77.0.2");
    await holds(lab, scanner);
  }
});

scene("what is put back is what another process has just blocked, or made to last", async (lab, guard) => {
  await guard.ask("scan", { targets: ["10.77.0.2"] });
  await isShut(lab, "10.77.0.2");
  assert.match(listing(lab), /10\.77\.0\.2 [^,}]*timeout (9|1\d)m/);
  await guard.ask("blockedElsewhere", { targets: ["10.77.0.2", "10.77.0.3"] });
  lab.run(lab.host, "nft", "flush", "ruleset");
  for (const address of ["10\\.77\\.0\\.2", "10\\.77\\.0\\.3"]) {
    await eventually(
      `the two hours of ${address}`,
      5_000,
      async () => listing(lab),
      (text) => new RegExp(`${address} [^,}]*timeout (2h|1h59m)`).test(text),
    );
  }
});

scene("a block by hand that fell out while all was put back is put in after", async (lab, guard) => {
  await guard.ask("scan", { targets: ["10.77.0.2"] });
  await isShut(lab, "10.77.0.2");
  lab.run(lab.host, "nft", "flush", "ruleset");
  await eventually(
    "the table to be back",
    5_000,
    async () => listing(lab),
    (text) => text.includes("10.77.0.2 "),
  );
  // The other process had put it into the table that was flushed, and writes it down only now.
  await guard.ask("blockedElsewhere", { targets: ["10.77.0.3"] });
  await eventually(
    "the block by hand",
    20_000,
    async () => listing(lab),
    (text) => text.includes("10.77.0.3 "),
  );
});

scene("a rule or the chain alone is missed too", async (lab, guard) => {
  await guard.ask("scan", { targets: ["10.77.0.2"] });
  lab.run(lab.host, "nft", "flush chain inet telltale prerouting");
  await eventually(
    "the rules",
    1_000,
    async () => listing(lab),
    (text) => text.includes("@blocked4_32 drop"),
  );
  lab.run(lab.host, "nft", "flush chain inet telltale prerouting; delete chain inet telltale prerouting");
  await eventually(
    "the chain",
    1_000,
    async () => listing(lab),
    (text) => text.includes("@blocked4_32 drop"),
  );
  await isShut(lab, "10.77.0.2");
});

scene(
  "an element that somebody deletes by hand stays deleted: it is how an administrator lets one in",
  async (lab, guard) => {
    await guard.ask("scan", { targets: ["10.77.0.2", "10.77.0.3"] });
    lab.run(lab.host, "nft", "delete element inet telltale blocked4_32 { 10.77.0.2 }");
    await isOpen(lab, "10.77.0.2");
    await guard.ask("tick");
    await isOpen(lab, "10.77.0.2");
    await isShut(lab, "10.77.0.3");
  },
);

scene("lifting everything from another process is an order, not an accident", async (lab, guard) => {
  await guard.ask("scan", { targets: ["10.77.0.2", "10.77.0.3"] });
  const lifter = `const { liftAllTelltale } = await import(${JSON.stringify(new URL("./backends/nftables.ts", import.meta.url).href)}); await liftAllTelltale();`;
  lab.run(lab.host, process.execPath, "--input-type=module", "-e", lifter);
  await eventually(
    "the guard to know",
    2_000,
    async () => guard.ask("inForce"),
    (count) => count === 0,
  );
  await eventually(
    "the empty table",
    2_000,
    async () => listing(lab),
    (text) => text.includes("@blocked4_32 drop"),
  );
  assert.doesNotMatch(listing(lab), /expires/);
  await isOpen(lab, "10.77.0.2");
  assert.deepEqual(guard.of("part.failed"), []);
  assert.deepEqual(
    guard.of("block.lifted").map(({ target, cause }) => [target, cause]),
    [
      ["10.77.0.2", "administrator"],
      ["10.77.0.3", "administrator"],
    ],
  );
  // The next scanner is blocked as ever.
  await guard.ask("scan", { targets: ["10.77.0.4"] });
  await isShut(lab, "10.77.0.4");
});

scene(
  "own addresses, gateway and loopback are never blocked, whatever source a packet bears",
  async (_lab, guard) => {
    const sources = [
      "10.77.0.1",
      "10.77.0.9",
      "10.77.0.255",
      "127.0.0.1",
      "fd77::1",
      "fd77::9",
      "::1",
      "fe80::1",
      "0.0.0.0",
    ];
    await guard.ask("scan", { targets: sources });
    assert.deepEqual(guard.of("block.applied"), []);
    assert.deepEqual(
      guard.of("verdict.reached").map(({ verdict }) => verdict.action),
      sources.map(() => "ignore"),
    );
    // The neighbour on the own link is blocked alone, not with the /64 that holds the host itself.
    await guard.ask("scan", { targets: ["fd77::44"] });
    assert.deepEqual(
      guard.of("block.applied").map(({ target }) => target),
      ["fd77::44"],
    );
  },
);

scene("the peer of a live SSH session is never blocked", async (lab, guard) => {
  const server = fileURLToPath(new URL("./testing/ssh-stand-in.ts", import.meta.url));
  await guard.ask("scan", { targets: ["10.77.0.3"] });
  await isShut(lab, "10.77.0.3");
  await guard.ask("lift", { targets: ["10.77.0.3"] });
  lab.keep(lab.host, process.execPath, server, "listen");
  await listening(lab, 22);
  lab.keep(lab.stranger, process.execPath, server, "connect", "10.77.0.3", "10.77.0.1");
  await eventually(
    "the session",
    5_000,
    () => guard.ask("guarded"),
    (guarded) => JSON.stringify(guarded).includes("live SSH session on port 22"),
  );
  await guard.ask("scan", { targets: ["10.77.0.3", "10.77.0.4"] });
  assert.deepEqual(
    guard.of("block.applied").map(({ target }) => target),
    ["10.77.0.3", "10.77.0.4"],
  );
  assert.match(guard.of("verdict.reached").at(-2)!.verdict.guardrail!, /live SSH session/);
  await isShut(lab, "10.77.0.4");
});

test("100,000 blocks are restored in one go, without holding up the event loop", {
  timeout: 120_000,
}, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const count = Number(process.env["TELLTALE_RUNS"] ?? 0) > 1_000 ? 100_000 : 20_000;
  const lab = makeLab(t);
  const guard = new Remote(t, lab.host, "./responder-child.ts");
  await guard.ask("remember", { count });
  const result = (await guard.ask("timedRestore")) as { tookMs: number; longestMs: number; inForce: number };
  t.diagnostic(
    `${count} blocks in ${result.tookMs.toFixed(0)} ms, longest stall ${result.longestMs.toFixed(0)} ms`,
  );
  assert.equal(result.inForce, count);
  assert.equal(await guard.ask("held"), count);
  assert.deepEqual(guard.of("block.failed"), []);
});
