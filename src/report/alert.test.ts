import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Event } from "../core/events.ts";
import { ALERT_LIMITS, type AlertState, collect, isUrgent, QUIET, release, waitMs } from "./alert/decide.ts";
import { Alerts } from "./alert.ts";
import { everyType, line, scan, stamped } from "./fixtures/events.ts";
import type { Message } from "./types.ts";

const HOUR = 3_600_000;

// Plays a stream of urgent events through the decision, as the scheduler would, and returns when messages left.
function play(timesMs: readonly number[]): { sentAt: number[]; told: number; held: number } {
  let state: AlertState = QUIET;
  const sentAt: number[] = [];
  let told = 0;
  const wake = (untilMs: number) => {
    for (;;) {
      const wait = state.openedMs === null ? null : waitMs(state, state.openedMs, ALERT_LIMITS);
      if (wait === null || state.openedMs! + wait > untilMs) return;
      const at = state.openedMs! + wait;
      const released = release(state, at, ALERT_LIMITS);
      state = released.state;
      told += released.batch.events.length + released.batch.unlisted;
      sentAt.push(at);
    }
  };
  for (const at of timesMs) {
    wake(at);
    state = collect(state, stamped(scan("192.0.2.7", [1])), at, ALERT_LIMITS);
  }
  wake(Number.POSITIVE_INFINITY);
  return { sentAt, told, held: state.events.length + state.unlisted };
}

test("tells a first attack within seconds", () => {
  assert.deepEqual(play([1_000]).sentAt, [1_000 + ALERT_LIMITS.batchMs]);
});

test("puts a scan of 65,535 ports into one message", () => {
  const { sentAt, told } = play(Array.from({ length: 65_535 }, (_, i) => i / 20));
  assert.equal(sentAt.length, 1);
  assert.equal(told, 65_535);
});

test("tells an attack that lasts a day about as often as the hourly report", () => {
  const { sentAt } = play(Array.from({ length: 86_400 }, (_, i) => i * 1_000));
  assert.ok(sentAt.length >= 24 && sentAt.length <= 32, `${sentAt.length} messages`);
});

test("holds a new attack after a quiet time to be news again", () => {
  const day = Array.from({ length: 3_600 }, (_, i) => i * 10_000);
  const { sentAt } = play([...day, 24 * HOUR]);
  assert.equal(sentAt.at(-1), 24 * HOUR + ALERT_LIMITS.batchMs);
});

test("whatever comes, messages keep their distance and no finding is forgotten", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 * HOUR }), { maxLength: 300 }), (gaps) => {
      let at = 0;
      const times = gaps.map((gap) => (at += gap % 7 === 0 ? gap : gap % 1_000));
      const { sentAt, told, held } = play(times);
      assert.equal(told + held, times.length);
      for (const [index, sent] of sentAt.entries()) {
        if (index > 0) assert.ok(sent - sentAt[index - 1]! >= ALERT_LIMITS.gapMs);
      }
    }),
  );
});

test("wakes nobody for what can wait", () => {
  const urgent = new Set(
    everyType()
      .filter(isUrgent)
      .map((event) => event.type),
  );
  assert.deepEqual([...urgent].sort(), [
    "block.applied",
    "block.failed",
    "log.shrank",
    "scan.detected",
    "verdict.reached",
  ]);
  assert.ok(isUrgent(stamped(line("cracking", "x"))));
  assert.ok(!isUrgent(stamped(line("violations", "x"))));
});

test("sends one message with what was collected, and counts what was too much", async () => {
  const { promise, resolve } = Promise.withResolvers<Message>();
  using alerts = new Alerts({
    host: "web1",
    mode: () => "block",
    send: async (message) => resolve(message),
    limits: { batchMs: 20, maxEvents: 10 },
  });
  for (let i = 0; i < 25; i++) alerts.observe(stamped(scan(`192.0.2.${i}`, [80])));
  const keep = setInterval(() => {}, 1_000);
  const message = await promise;
  clearInterval(keep);
  assert.match(message.subject, /Active System Attack Alerts: scans from 10 sources/);
  assert.match(message.text, /15 more findings came in meanwhile/);
  assert.equal(message.urgent, true);
});

test("goes on after a delivery that failed, and never sends two at once", async () => {
  let running = 0;
  let most = 0;
  const sent: Message[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const events: Event[] = [stamped(scan("192.0.2.7", [1]))];
  using alerts = new Alerts({
    host: "web1",
    mode: () => "observe",
    limits: { batchMs: 5, gapMs: 5, longestGapMs: 5 },
    send: async (message) => {
      most = Math.max(most, ++running);
      sent.push(message);
      if (sent.length === 3) resolve();
      else alerts.observe(events[0]!);
      await new Promise((done) => setTimeout(done, 30));
      running--;
      throw new Error("no route");
    },
  });
  alerts.observe(events[0]!);
  const keep = setInterval(() => {}, 1_000);
  await promise;
  clearInterval(keep);
  assert.equal(most, 1);
});

test("sends nothing after it was closed", () => {
  const alerts = new Alerts({
    host: "web1",
    mode: () => "block",
    send: () => assert.fail("sent"),
    limits: { batchMs: 0 },
  });
  alerts.observe(stamped(scan("192.0.2.7", [1])));
  alerts.close();
  alerts.observe(stamped(scan("192.0.2.7", [1])));
});

test("can be told to speak of less", async () => {
  const { promise, resolve } = Promise.withResolvers<Message>();
  using alerts = new Alerts({
    host: "web1",
    mode: () => "block",
    send: async (message) => resolve(message),
    limits: { batchMs: 5 },
    wanted: (event) => event.type === "block.failed",
  });
  alerts.observe(stamped(scan("192.0.2.7", [1])));
  alerts.observe(
    stamped({ type: "block.failed", target: "192.0.2.8", why: "no table", mend: "x", findingId: "y" }),
  );
  const keep = setInterval(() => {}, 1_000);
  const message = await promise;
  clearInterval(keep);
  assert.match(message.text, /192\.0\.2\.8 could not be blocked/);
  assert.doesNotMatch(message.text, /192\.0\.2\.7/);
});
