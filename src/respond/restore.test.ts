import assert from "node:assert/strict";
import test from "node:test";
import { formatPrefix, parsePrefix } from "../core/address.ts";
import { MissingPartError } from "../core/errors.ts";
import type { Backend } from "./backend.ts";
import { RecordBackend } from "./backends/record.ts";
import { HandClock, scene } from "./testing/responder-scene.ts";
import { MemoryHistory, scanEvent } from "./testing/samples.ts";

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

test("what ran out while no guard was there is lifted where the firewall ends nothing by itself", async () => {
  class Endless extends RecordBackend {
    override open = async () => ({
      what: "endless",
      throttles: false,
      tripwire: false,
      endless: true as const,
    });
  }
  const history = new MemoryHistory();
  const row = (target: string, until: string) =>
    history.put({
      ...{ target, until, since: "2026-11-22T19:00:00.000Z", because: "scan", findingId: "f" },
      ...{ grade: "spoofable" as const, packetsStopped: 0 },
    });
  row("198.51.100.7", "2026-11-22T19:30:00.000Z");
  row("198.51.100.9", "2026-11-22T21:00:00.000Z");
  const backend = new Endless();
  const block = (target: string) => ({ do: "block" as const, target: parsePrefix(target)!, forMs: 1e9 });
  await backend.apply(["198.51.100.7", "198.51.100.9"].map(block));
  await using it = scene({ history, backend });
  await it.responder.restore();
  assert.deepEqual(
    (await backend.held()).map(({ target }) => formatPrefix(target)),
    ["198.51.100.9"],
  );
  assert.deepEqual(
    it.of("block.lifted").map(({ target, cause }) => [target, cause]),
    [["198.51.100.7", "expired"]],
  );
  assert.deepEqual(history.overdueAfter(new Date("2026-11-22T20:00:00Z"), "", 9), []);
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
  history.inForceAfter = () => {
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
