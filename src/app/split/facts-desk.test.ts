import assert from "node:assert/strict";
import test from "node:test";
import type { HostFacts } from "../../respond/types.ts";
import { FactsDesk } from "./facts-desk.ts";

const some = (): HostFacts => ({ guards: [], unread: [] });

test("whoever has asked is told of each change once, and again when it could not be told", (t) => {
  let facts = some();
  let hears = true;
  let nowMs = 0;
  const told: HostFacts[] = [];
  const clock = { now: () => new Date(0), monotonicMs: () => nowMs };
  const desk = new FactsDesk({ current: () => facts }, clock, (news) => hears && told.push(news) > 0);
  t.after(() => desk.stop());
  desk.look();
  assert.deepEqual(told, [], "nobody has asked");
  assert.equal(desk.answer(), facts);
  desk.look();
  assert.deepEqual(told, []);
  assert.equal(desk.isNews, false, "an answer has been heard");

  facts = some();
  hears = false;
  desk.look();
  assert.equal(desk.isNews, false);
  hears = true;
  desk.look();
  desk.look();
  assert.deepEqual(told, [facts]);
  assert.equal(told[0], facts);
  assert.equal(desk.isNews, true);
  nowMs = 1_000;
  assert.equal(desk.isNews, false);

  desk.forget();
  facts = some();
  desk.look();
  assert.equal(told.length, 1, "the next listener asks first");
});
