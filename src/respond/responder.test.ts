import assert from "node:assert/strict";
import test from "node:test";
import { type Prefix, PrefixSet, parsePrefix } from "../core/address.ts";
import type { ChangeResult } from "./backend.ts";
import { RecordBackend } from "./backends/record.ts";
import { scene } from "./testing/responder-scene.ts";
import { MemoryHistory, scanEvent } from "./testing/samples.ts";
import type { FirewallChange, HostFacts } from "./types.ts";

test("a finding becomes a verdict, a block in the firewall, a row and a confirmation, in that order", async () => {
  await using it = scene();
  const finding = scanEvent("198.51.100.7");
  await it.responder.onFinding(finding);
  assert.deepEqual(
    it.events.map((event) => event.type),
    ["verdict.reached", "block.applied"],
  );
  assert.equal(it.of("verdict.reached")[0]!.verdict.findingId, finding.id);
  assert.equal(it.of("block.applied")[0]!.until, "2026-11-22T20:10:00.000Z");
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
  assert.equal(it.history.rows[0]!.target, "198.51.100.7");
  assert.equal(it.responder.inForce, 1);
});

test("observing reaches the same verdict and touches nothing", async () => {
  const backend = new RecordBackend();
  backend.apply = () => assert.fail("the firewall was touched");
  backend.open = () => assert.fail("the firewall was touched");
  await using it = scene({ mode: "observe", backend });
  await it.responder.restore();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.equal(it.of("verdict.reached")[0]!.verdict.action, "block");
  assert.equal(it.of("verdict.reached")[0]!.verdict.mode, "observe");
  assert.equal(it.of("block.applied").length, 0);
  assert.equal(it.history.rows.length, 0);
});

test("a protected source is never blocked, and a block is lifted once its target becomes protected", async () => {
  let facts: HostFacts = {
    guards: [{ prefix: parsePrefix("198.51.100.7")!, because: "default gateway of eth0" }],
    unread: [],
  };
  await using it = scene({ facts: () => facts });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  await it.responder.onFinding(scanEvent("198.51.100.8"));
  assert.deepEqual(await it.held(), ["198.51.100.8/32"]);
  assert.equal(it.of("verdict.reached")[0]!.verdict.guardrail, "default gateway of eth0");
  facts = {
    guards: [{ prefix: parsePrefix("198.51.100.8")!, because: "live SSH session on port 22" }],
    unread: [],
  };
  await it.responder.tick();
  assert.deepEqual(await it.held(), []);
  assert.equal(it.of("block.lifted")[0]!.cause, "guardrail");
  assert.ok(
    (it.backend as RecordBackend).allow.some(({ base }) => base === "198.51.100.8"),
    "the kernel was told too",
  );
});

test("who became protected while the verdict was reached is let in again at once", async () => {
  const peer = [{ prefix: parsePrefix("198.51.100.7")!, because: "live SSH session on port 22" }];
  let asked = 0;
  await using it = scene({ facts: () => ({ guards: asked++ === 0 ? [] : peer, unread: [] }) });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.deepEqual(await it.held(), []);
  assert.deepEqual(
    it.events.map((event) => event.type),
    ["verdict.reached", "block.applied", "block.lifted"],
  );
  assert.equal(it.of("block.lifted")[0]!.cause, "guardrail");
});

test("the allow list protects, also when it comes later", async () => {
  await using it = scene({ allow: new PrefixSet([parsePrefix("198.51.100.0/25")!]) });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  await it.responder.onFinding(scanEvent("198.51.100.200"));
  assert.match(it.of("verdict.reached")[0]!.verdict.guardrail ?? "", /allow list \(198\.51\.100\.0\/25\)/);
  assert.deepEqual(await it.held(), ["198.51.100.200/32"]);
  it.responder.setAllow(new PrefixSet([parsePrefix("198.51.100.128/25")!]));
  await it.responder.tick();
  assert.deepEqual(await it.held(), []);
});

test("a block ends in its time, by the monotonic clock, and the next is longer", async () => {
  await using it = scene();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  it.clock.wallMs += 86_400_000; // somebody set the clock: nothing may end early
  await it.responder.tick();
  assert.equal(it.responder.inForce, 1);
  it.clock.wallMs -= 86_400_000;
  it.clock.pass(10 * 60_000 + 1_000);
  await it.responder.tick();
  assert.equal(it.of("block.lifted")[0]!.cause, "expired");
  assert.equal(it.responder.inForce, 0);
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.equal(it.of("verdict.reached")[1]!.verdict.forMs, 40 * 60_000);
});

test("a first offence is slowed down, and the second finding of it shuts out", async () => {
  await using it = scene({ firstOffence: "throttle" });
  await it.responder.restore();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  const [slowed] = await it.backend.held();
  assert.equal(slowed!.throttled, true);
  assert.equal(it.of("block.applied")[0]!.throttled, true);
  assert.equal(it.history.rows[0]!.throttled, true);
  await it.responder.onFinding(scanEvent("198.51.100.7", { lastAt: it.clock.now().toISOString() }));
  assert.equal(it.of("verdict.reached")[1]!.verdict.action, "ignore", "the same burst, told twice");
  it.clock.pass(3_000);
  await it.responder.onFinding(scanEvent("198.51.100.7", { lastAt: it.clock.now().toISOString() }));
  assert.equal((await it.backend.held())[0]!.throttled, undefined);
  assert.equal(it.of("block.applied")[1]!.throttled, undefined);
  await it.responder.close();
  assert.equal(it.history.rows.length, 1, "the same row, now a block");
  assert.equal(it.history.rows[0]!.throttled, undefined);
});

test("a firewall that cannot slow down lets the first offence off and blocks the next", async () => {
  class Plain extends RecordBackend {
    override open = async () => ({ what: "plain", throttles: false, tripwire: false });
  }
  await using it = scene({ firstOffence: "throttle", backend: new Plain() });
  await it.responder.restore();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.equal(it.of("verdict.reached")[0]!.verdict.action, "watch");
  assert.deepEqual(await it.held(), []);
  assert.equal(it.of("part.failed").length, 0);
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
});

test("what the firewall refuses is a failure, not a block, and is tried again at the next finding", async () => {
  class Refusing extends RecordBackend {
    refuse = true;
    override async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
      if (!this.refuse) return super.apply(changes);
      return changes.map((change) => ({
        change,
        why: "Operation not permitted",
        mend: "run as root",
        packetsStopped: 0,
      }));
    }
  }
  const backend = new Refusing();
  await using it = scene({ backend });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.equal(it.of("block.failed")[0]!.why, "Operation not permitted");
  assert.equal(it.of("block.failed")[0]!.mend, "run as root");
  assert.equal(it.responder.inForce, 0);
  assert.equal(it.history.rows.length, 0);
  backend.refuse = false;
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.equal(it.of("block.applied").length, 1);
});

test("whom the firewall knows to be protected by now is a verdict, and no failure", async () => {
  class Guarding extends RecordBackend {
    override async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
      const guardrail = "live SSH session on port 22";
      const why = `refused by the warden: ${guardrail}`;
      return changes.map((change) => ({ change, why, mend: "", packetsStopped: 0, guardrail }));
    }
  }
  await using it = scene({ backend: new Guarding() });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.deepEqual(
    it
      .of("verdict.reached")
      .map(({ verdict }) => [verdict.action, verdict.guardrail, verdict.because])
      .at(-1),
    ["ignore", "live SSH session on port 22", "never blocked: live SSH session on port 22"],
  );
  assert.equal(it.of("block.failed").length, 0);
  assert.equal(it.of("block.applied").length, 0);
  assert.equal(it.responder.inForce, 0);
  const target = parsePrefix("198.51.100.7")!;
  assert.equal(
    await it.responder.block(target, 1_000, "by hand"),
    "never blocked: live SSH session on port 22",
  );
});

test("a store that cannot write does not keep a scanner in", async () => {
  const history = new MemoryHistory();
  history.put = () => {
    throw new Error("database or disk is full");
  };
  await using it = scene({ history });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
  assert.match(
    it.of("part.failed")[0]!.why,
    /in force but could not be written down, .*database or disk is full/,
  );
});

test("findings that arrive while the firewall is busy go together into the next batch", async () => {
  class Slow extends RecordBackend {
    readonly batches: number[] = [];
    override async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
      this.batches.push(changes.length);
      await new Promise(setImmediate);
      return super.apply(changes);
    }
  }
  const backend = new Slow();
  await using it = scene({ backend, maxPerMinute: 1_000 });
  await Promise.all(Array.from({ length: 100 }, (_, i) => it.responder.onFinding(scanEvent(`10.0.${i}.1`))));
  assert.deepEqual(backend.batches, [1, 99]);
  assert.equal(it.of("block.applied").length, 100);
});

test("a block by hand respects the guardrails", async () => {
  await using it = scene();
  const target: Prefix = parsePrefix("203.0.113.0/28")!;
  assert.equal(await it.responder.block(target, 3_600_000, "on request"), null);
  assert.deepEqual(await it.held(), ["203.0.113.0/28"]);
  assert.match((await it.responder.block(parsePrefix("0.0.0.0/0")!, 1_000, "everything"))!, /never blocked/);
  await it.responder.onFinding(scanEvent("203.0.113.3"));
  assert.match(it.of("verdict.reached")[0]!.verdict.because, /already blocked/);
});

test("a network that somebody has logged in from is cut for a moment only, until a block by hand confirms it", async () => {
  const loginNetworks = [
    { prefix: parsePrefix("198.51.100.0/24")!, because: "somebody logged in from 198.51.100.0/24" },
  ];
  await using it = scene({ facts: () => ({ guards: [], loginNetworks, unread: [] }) });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.equal(it.of("verdict.reached")[0]!.verdict.forMs, 120_000);
  await it.responder.block(parsePrefix("198.51.100.7")!, 3_600_000, "confirmed");
  it.clock.pass(130_000);
  await it.responder.tick();
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
  await it.responder.onFinding(scanEvent("198.51.100.8"));
  it.clock.pass(121_000);
  await it.responder.tick();
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
});

test("a backend that throws against its promise fails that block and no other", async () => {
  const backend = new RecordBackend();
  const apply = backend.apply.bind(backend);
  let calls = 0;
  backend.apply = (changes) => (++calls === 1 ? Promise.reject(new Error("SIGSEGV")) : apply(changes));
  await using it = scene({ backend });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  await it.responder.onFinding(scanEvent("198.51.100.8"));
  assert.equal(it.of("block.failed")[0]!.why, "SIGSEGV");
  assert.deepEqual(await it.held(), ["198.51.100.8/32"]);
});
