import assert from "node:assert/strict";
import test from "node:test";
import { PrefixSet, parsePrefix } from "../core/address.ts";
import { systemClock } from "../core/clock.ts";
import { RecordBackend } from "./backends/record.ts";
import { isRehearsed, rehearse } from "./rehearse.ts";
import type { BlockHistory, FirewallChange, HostFacts } from "./types.ts";

const NOBODY_PROTECTED: HostFacts = { guards: [], unread: [] };

async function play(allow: readonly string[], isReminder = false) {
  const written: string[] = [];
  const asked: FirewallChange[] = [];
  const history: BlockHistory = {
    put: ({ target }) => void written.push(target),
    inForceAfter: () => [],
    count: () => {},
    lift: (target) => written.push(target) > 0,
    times: () => 0,
  };
  const backend = new RecordBackend();
  const apply = backend.apply.bind(backend);
  backend.apply = (changes) => {
    asked.push(...changes);
    return apply(changes);
  };
  const prefixes = new PrefixSet(allow.map((text) => parsePrefix(text)!));
  await rehearse({
    backend,
    history,
    facts: () => NOBODY_PROTECTED,
    allow: prefixes,
    clock: systemClock,
    signal: new AbortController().signal,
    isReminder,
  });
  return { written, asked, held: await backend.held() };
}

test("a rehearsal blocks and lifts what is nobody's, and leaves nothing behind", async () => {
  const { written, asked, held } = await play([]);
  assert.ok(asked.length > 100);
  assert.ok(asked.every(({ target }) => isRehearsed(target)));
  assert.ok(asked.some(({ do: done }) => done === "block"));
  assert.deepEqual([written, held], [[], []]);
});

test("a reminder goes as far as the firewall and changes nothing in it", async () => {
  const { written, asked } = await play([], true);
  assert.deepEqual([written, asked], [[], []]);
});

test("who allows everybody has no block rehearsed either", async () => {
  const { asked } = await play(["0.0.0.0/0", "::/0"]);
  assert.ok(asked.every(({ do: done }) => done === "lift"));
});

test("no other address is taken for one of a rehearsal", () => {
  for (const text of ["192.0.0.126", "192.0.0.0/24", "100::/63", "0.0.0.0/0", "100:0:0:1::/64"])
    assert.equal(isRehearsed(parsePrefix(text)!), false, text);
  for (const text of ["192.0.0.127", "100::7f", "100::/64"])
    assert.equal(isRehearsed(parsePrefix(text)!), true, text);
});
