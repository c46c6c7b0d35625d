// Somebody sets the clock, or the host wakes up with a wrong one: nobody is let in early for it, and nobody stays out longer.
import assert from "node:assert/strict";
import test from "node:test";
import { waitFor } from "../../tests/system/wait.ts";
import { PrefixSet } from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { RecordBackend } from "../respond/backends/record.ts";
import { Responder } from "../respond/responder.ts";
import { MemoryHistory, recorder, scanEvent } from "../respond/testing/samples.ts";
import { SleepWatch } from "./sleep.ts";

const BLOCK_MS = 600_000;
const DAY_MS = 86_400_000;
const SCANNER = "198.51.100.7";

class JumpingClock implements Clock {
  wallMs = Date.parse("2026-11-22T20:00:00Z");
  sinceMs = 1_000;
  now = () => new Date(this.wallMs);
  monotonicMs = () => this.sinceMs;
  pass(ms: number): void {
    this.wallMs += ms;
    this.sinceMs += ms;
  }
}

async function blocked<C extends Clock>(clock: C) {
  const history = new MemoryHistory();
  const backend = new RecordBackend(clock);
  const heard = recorder();
  const open = () =>
    new Responder({
      mode: "block",
      allow: new PrefixSet([]),
      facts: () => ({ guards: [], unread: [] }),
      chance: () => 0.5,
      blockMs: BLOCK_MS,
      clock,
      backend,
      history,
      emit: heard.emit,
    });
  const responder = open();
  await responder.onFinding(scanEvent(SCANNER));
  const isBlocked = async () => (await backend.held()).length === 1;
  assert.ok(await isBlocked());
  return { clock, history, heard, responder, open, isBlocked, backend };
}

for (const [what, jumpMs] of [
  ["ahead", DAY_MS],
  ["back", -DAY_MS],
] as const) {
  test(`a clock that is set ${what} neither shortens nor stretches a block in force`, async () => {
    const { clock, responder, isBlocked, heard } = await blocked(new JumpingClock());
    clock.pass(BLOCK_MS / 3);
    clock.wallMs += jumpMs;
    clock.pass(BLOCK_MS / 3);
    await responder.tick();
    assert.ok(await isBlocked(), "let in early");
    clock.pass(BLOCK_MS / 2);
    await responder.tick();
    await waitFor("the lift", () => heard.events.some((event) => event.type === "block.lifted"));
    await responder.close();
  });
}

test("a restart under a clock that is ahead lets nobody in who is still blocked in the firewall", async () => {
  const { clock, responder, open, isBlocked, heard } = await blocked(new JumpingClock());
  clock.pass(BLOCK_MS / 3);
  await responder.close();
  clock.wallMs += DAY_MS;
  const again = open();
  await again.restore();
  assert.ok(await isBlocked(), "let in early");
  clock.pass(BLOCK_MS);
  await again.tick();
  await waitFor("the lift", () => heard.events.some((event) => event.type === "block.lifted"));
  assert.ok(!(await isBlocked()));
  await again.close();
});

test("a restart under a clock that is behind keeps nobody out for longer than the block was meant to last", async () => {
  const { clock, responder, open, isBlocked, heard } = await blocked(new JumpingClock());
  clock.pass(BLOCK_MS / 3);
  await responder.close();
  clock.wallMs -= DAY_MS;
  const again = open();
  await again.restore();
  assert.ok(await isBlocked(), "let in early");
  clock.pass(BLOCK_MS + 5_000);
  await again.tick();
  await waitFor("the lift", () => heard.events.some((event) => event.type === "block.lifted"));
  assert.ok(!(await isBlocked()));
  await again.close();
});

test("a block that runs out while the host sleeps is lifted soon after it wakes", async () => {
  const { responder, isBlocked, heard } = await blocked(systemClock);
  let sinceBootMs = 0;
  const watch = new SleepWatch(
    (ms) => systemClock.sleptFor(ms),
    () => sinceBootMs,
    () => 0,
  );
  sinceBootMs = BLOCK_MS / 2;
  watch.look();
  await responder.tick();
  assert.ok(await isBlocked(), "let in early");
  sinceBootMs = 2 * BLOCK_MS;
  watch.look();
  await responder.tick();
  await waitFor("the lift", () => heard.events.some((event) => event.type === "block.lifted"));
  assert.ok(!(await isBlocked()));
  await responder.close();
});
