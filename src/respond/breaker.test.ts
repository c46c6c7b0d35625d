import assert from "node:assert/strict";
import test from "node:test";
import { parsePrefix } from "../core/address.ts";
import { scene } from "./testing/responder-scene.ts";
import { scanEvent } from "./testing/samples.ts";

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
