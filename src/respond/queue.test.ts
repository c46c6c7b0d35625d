import assert from "node:assert/strict";
import test from "node:test";
import { formatPrefix, parsePrefix } from "../core/address.ts";
import { RecordBackend } from "./backends/record.ts";
import { ChangeQueue } from "./queue.ts";
import type { FirewallChange } from "./types.ts";

const COUNT = 3_500;
const name = (n: number): string => `11.0.${n >> 8}.${n & 255}`;
const block = (n: number): FirewallChange => ({ do: "block", target: parsePrefix(name(n))!, forMs: 60_000 });
const lift = (n: number): FirewallChange => ({ do: "lift", target: parsePrefix(name(n))! });
const list = Array.from({ length: COUNT }, (_, n) => block(n));

function scene() {
  const backend = new RecordBackend();
  const batches: string[][] = [];
  const apply = backend.apply.bind(backend);
  backend.apply = async (changes) => {
    batches.push(changes.map(({ do: what, target }) => `${what} ${formatPrefix(target)}`));
    // A firewall in another process answers in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    return apply(changes);
  };
  const held = async () => new Set((await backend.held()).map(({ target }) => formatPrefix(target)));
  return { queue: new ChangeQueue(backend), batches, held };
}

test("a long list is worked off in batches, and each is told", async () => {
  const { queue, batches, held } = scene();
  let told = 0;
  await queue.each(list, (results) => {
    told += results.filter(({ why }) => why === null).length;
  });
  assert.equal(told, COUNT);
  assert.equal((await held()).size, COUNT);
  assert.ok(batches.length > 2 && Math.max(...batches.map((batch) => batch.length)) <= 1_000);
});

test("a scanner is blocked, and somebody let in, before a long list is through; who was let in stays in", async () => {
  const { queue, batches, held } = scene();
  const all = queue.each(list, () => {});
  await new Promise((resolve) => setImmediate(resolve));
  const single = queue.change({ do: "block", target: parsePrefix("192.0.2.7")!, forMs: 60_000 });
  await queue.changes([lift(1), lift(1_500), lift(3_400)]);
  await queue.change(block(3_400));
  await single;
  await all;
  const before = batches.findIndex((batch) => batch.includes("block 192.0.2.7"));
  assert.ok(before < batches.length - 1, "not after the list");
  const now = await held();
  assert.deepEqual(
    [1, 1_500, 3_400].map((n) => now.has(name(n))),
    [false, false, true],
    "blocked again is blocked",
  );
  assert.equal(now.size, COUNT - 2 + 1);
});

test("a list that is given up goes no further, and the next is worked off whole", async () => {
  const { queue, held } = scene();
  const all = queue.each(list, () => {});
  await new Promise((resolve) => setImmediate(resolve));
  await queue.idle();
  await all;
  assert.ok((await held()).size < COUNT);
  await queue.each(list, () => {});
  assert.equal((await held()).size, COUNT);
});

test("two lists at once are worked off one after the other", async () => {
  const { queue, batches } = scene();
  await Promise.all([queue.each(list, () => {}), queue.each([lift(0), lift(1)], () => {})]);
  assert.deepEqual(batches.at(-1), ["lift 11.0.0.0", "lift 11.0.0.1"]);
});
