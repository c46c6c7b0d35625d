import assert from "node:assert/strict";
import test from "node:test";
import { formatPrefix, type Prefix, PrefixSet, parsePrefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { MissingPartError } from "../core/errors.ts";
import type { Backend, ChangeResult } from "./backend.ts";
import { RecordBackend } from "./backends/record.ts";
import { Responder, type ResponderOptions } from "./responder.ts";
import { MemoryHistory, recorder, scanEvent } from "./testing/samples.ts";
import type { FirewallChange, HostFacts } from "./types.ts";

const NOBODY: HostFacts = { guards: [], unread: [] };

class HandClock implements Clock {
  wallMs = Date.parse("2026-11-22T20:00:00Z");
  sinceMs = 1_000;
  now = () => new Date(this.wallMs);
  monotonicMs = () => this.sinceMs;
  pass(ms: number): void {
    this.wallMs += ms;
    this.sinceMs += ms;
  }
}

function scene(options: Partial<ResponderOptions> = {}) {
  const clock = new HandClock();
  const backend = options.backend ?? new RecordBackend(clock);
  const history = (options.history as MemoryHistory | undefined) ?? new MemoryHistory();
  const heard = recorder();
  const responder = new Responder({
    mode: "block",
    allow: new PrefixSet([]),
    facts: () => NOBODY,
    chance: () => 0.5,
    ...options,
    clock,
    backend,
    history,
    emit: heard.emit,
  });
  const held = async () => (await backend.held()).map(({ target }) => `${target.base}/${target.bits}`).sort();
  return {
    clock,
    backend,
    history,
    responder,
    held,
    ...heard,
    [Symbol.asyncDispose]: () => responder.close(),
  };
}

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

test("a clean end writes down what the blocks have stopped, and the next start goes on counting", async () => {
  class Counting extends RecordBackend {
    override held = async () => (await super.held()).map((block) => ({ ...block, packetsStopped: 42 }));
  }
  const it = scene({ backend: new Counting() });
  await it.responder.restore();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.equal(it.history.rows[0]!.packetsStopped, 0);
  await it.responder.close();
  assert.equal(it.history.rows.length, 1);
  assert.equal(it.history.rows[0]!.packetsStopped, 42);
});

test("a block that another process made or renewed is kept to its own end", async () => {
  await using it = scene();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  const applied = {
    ...it.of("block.applied")[0]!,
    until: "2026-11-22T21:00:00.000Z",
    because: "blocked by hand",
  };
  it.responder.believeBlocked(applied);
  it.responder.believeBlocked({ ...applied, target: "203.0.113.0/24" });
  it.responder.believeBlocked({ ...applied, target: "203.0.113.1", until: "2026-11-22T19:00:00.000Z" });
  it.clock.pass(11 * 60_000);
  await it.responder.tick();
  assert.equal(it.responder.inForce, 2);
  it.clock.pass(50 * 60_000);
  await it.responder.tick();
  assert.equal(it.responder.inForce, 0);
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

test("forged sources trip the breaker: it blocks no more, says so once, and rests later", async () => {
  await using it = scene({ maxPerMinute: 10 });
  for (let i = 0; i < 500; i++) await it.responder.onFinding(scanEvent(`10.${i >> 8}.${i & 255}.9`));
  assert.equal(it.responder.inForce, 10);
  assert.equal(it.of("part.failed").length, 1);
  assert.match(it.of("part.failed")[0]!.why, /circuit breaker: 10 new blocks in the last minute/);
  assert.equal(it.of("verdict.reached").length, 20, "past the cap the verdicts are not repeated without end");
  // A scanner whose evidence cannot be forged is still blocked.
  await it.responder.onFinding(scanEvent("203.0.113.5", { grade: "proven" }));
  assert.equal(it.responder.inForce, 11);
  it.clock.pass(61_000);
  await it.responder.tick();
  assert.match(it.of("part.recovered")[0]!.how, /490 scanners were watched only/);
  assert.equal(it.responder.inForce, 16, "half of the room goes to those who were refused");
  await it.responder.onFinding(scanEvent("203.0.113.6"));
  assert.equal(it.responder.inForce, 17, "the other half to those of now");
  it.clock.pass(301_000);
  await it.responder.tick();
  assert.equal(it.responder.inForce, 17, "who was refused longer ago is not judged again");
});

test("a scanner that the breaker refused is blocked once the minute is over", async () => {
  await using it = scene({ maxPerMinute: 2 });
  for (const last of [1, 2, 3])
    await it.responder.onFinding(scanEvent(`203.0.113.${last}`, { grade: "proven" }));
  assert.deepEqual(await it.held(), ["203.0.113.1/32", "203.0.113.2/32"]);
  it.clock.pass(30_000);
  await it.responder.tick();
  assert.equal(it.responder.inForce, 2, "not before");
  it.clock.pass(31_000);
  await it.responder.tick();
  assert.deepEqual(await it.held(), ["203.0.113.1/32", "203.0.113.2/32", "203.0.113.3/32"]);
});

test("past the breaker eight proven scanners of one network are blocked as one, and their places are free", async () => {
  await using it = scene({ maxPerMinute: 4 });
  for (let last = 1; last <= 9; last++)
    await it.responder.onFinding(scanEvent(`203.0.113.${last}`, { grade: "proven" }));
  assert.deepEqual(await it.held(), ["203.0.113.0/24"]);
  assert.equal(it.responder.inForce, 1);
  assert.deepEqual(
    it.of("block.lifted").map(({ cause }) => cause),
    Array(4).fill("aggregated"),
  );
  assert.equal(it.of("verdict.reached").at(-1)!.verdict.action, "ignore", "the ninth is covered already");
});

test("a network that holds somebody protected is never blocked as one", async () => {
  const guards = [{ prefix: parsePrefix("203.0.113.200")!, because: "live SSH session on port 22" }];
  await using it = scene({ maxPerMinute: 4, facts: () => ({ guards, unread: [] }) });
  for (let last = 1; last <= 20; last++)
    await it.responder.onFinding(scanEvent(`203.0.113.${last}`, { grade: "proven" }));
  assert.equal((await it.held()).length, 4);
});

test("forged sources of one network never cost the network", async () => {
  await using it = scene({ maxPerMinute: 4 });
  for (let last = 1; last <= 99; last++) await it.responder.onFinding(scanEvent(`203.0.113.${last}`));
  assert.equal((await it.held()).length, 4);
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

test("after a restart the blocks are back with the time left, and nobody protected among them", async () => {
  const history = new MemoryHistory();
  const row = (target: string, untilMs: number) => ({
    target,
    since: "2026-11-22T19:00:00.000Z",
    until: new Date(Date.parse("2026-11-22T20:00:00Z") + untilMs).toISOString(),
    because: "scan",
    grade: "spoofable" as const,
    findingId: "f",
    packetsStopped: 7,
  });
  history.put(row("198.51.100.7", 60_000));
  history.put(row("2001:db8::/64", 90_000));
  history.put(row("198.51.100.9", -1));
  history.put(row("192.0.2.1", 60_000));
  await using it = scene({
    history,
    facts: () => ({ guards: [{ prefix: parsePrefix("192.0.2.1")!, because: "gateway" }], unread: [] }),
  });
  await it.responder.restore();
  assert.deepEqual(await it.held(), ["198.51.100.7/32", "2001:db8::/64"]);
  assert.equal((await it.backend.held())[0]!.leftMs, 65_000);
  assert.deepEqual(
    it.of("block.lifted").map(({ target, cause }) => [target, cause]),
    [["192.0.2.1", "guardrail"]],
  );
  await it.responder.restore();
  assert.equal(it.responder.inForce, 2, "restoring twice changes nothing");
});

test("a lift finds the block that covers the address, in memory or left by an earlier run", async () => {
  await using it = scene();
  await it.responder.onFinding(scanEvent("2001:db8:9::7"));
  const lift = async (target: string) =>
    (await it.responder.lift(target)).map(({ change, why }) => [formatPrefix(change.target), why]);
  assert.deepEqual(await lift("2001:db8:9::8"), [["2001:db8:9::/64", null]]);
  assert.deepEqual(await it.held(), []);
  assert.deepEqual(await lift("2001:db8:9::8"), []);
  assert.deepEqual(await lift("no address; rm -rf /"), []);
  await it.backend.apply([{ do: "block", target: parsePrefix("203.0.113.4")!, forMs: 60_000 }]);
  assert.deepEqual(await lift("203.0.113.4"), [["203.0.113.4", null]]);
  assert.deepEqual(await it.held(), []);
  assert.deepEqual(
    it.of("block.lifted").map(({ target, cause }) => [target, cause]),
    [
      ["2001:db8:9::/64", "administrator"],
      ["203.0.113.4", "administrator"],
    ],
  );
});

test("lifting all leaves neither firewall nor history with a block", async () => {
  await using it = scene();
  for (const last of [1, 2, 3]) await it.responder.onFinding(scanEvent(`198.51.100.${last}`));
  await it.responder.liftAll();
  assert.deepEqual(await it.held(), []);
  assert.deepEqual(it.history.inForce(it.clock.now()), []);
  assert.equal(it.of("block.lifted").length, 3);
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

test("closing keeps the blocks in force", async () => {
  const it = scene();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  await it.responder.close();
  await it.responder.onFinding(scanEvent("198.51.100.8"));
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
});

test("a machine without the firewall says so when it restores", async () => {
  const backend: Backend = new RecordBackend();
  backend.open = () =>
    Promise.reject(new MissingPartError("respond", "nftables is not here", "apt install nftables"));
  await using it = scene({ backend });
  await assert.rejects(it.responder.restore(), MissingPartError);
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

test("what the firewall holds and the history has lost stays in force, and is remembered again", async () => {
  const clock = new HandClock();
  const backend = new RecordBackend(clock);
  const block = (target: string, forMs: number) => ({
    do: "block" as const,
    target: parsePrefix(target)!,
    forMs,
  });
  await backend.apply([
    block("198.51.100.7", 600_000),
    block("192.0.2.1", 600_000),
    block("198.51.100.8", 3_000),
  ]);
  await using it = scene({
    backend,
    facts: () => ({ guards: [{ prefix: parsePrefix("192.0.2.1")!, because: "gateway" }], unread: [] }),
  });
  await it.responder.restore();
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
  assert.equal(it.responder.inForce, 1);
  assert.match(it.history.rows[0]!.because, /the history did not know it/);
});

test("a history that cannot be read at the start costs no block", async () => {
  const history = new MemoryHistory();
  history.inForce = () => {
    throw new Error("database disk image is malformed");
  };
  const backend = new RecordBackend();
  await backend.apply([{ do: "block", target: parsePrefix("198.51.100.7")!, forMs: 600_000 }]);
  await using it = scene({ history, backend });
  await it.responder.restore();
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
  assert.match(it.of("part.failed")[0]!.why, /malformed/);
});

test("from observing to blocking while the guard runs: the firewall is made ready then", async () => {
  await using it = scene({ mode: "observe" });
  await it.responder.restore();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.deepEqual(await it.held(), []);
  it.responder.setMode("block");
  await it.responder.tick();
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.deepEqual(await it.held(), ["198.51.100.7/32"]);
  assert.ok((it.backend as RecordBackend).allow.length > 0);
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
