import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { parseAddress } from "../core/address.ts";
import { wholeAddress } from "../respond/guardrails.ts";
import type { HostFacts } from "../respond/types.ts";
import { openStore } from "../store/store.ts";
import { Logins, rememberedLogins, withLogins } from "./logins.ts";

const DAY_MS = 86_400_000;

function scene(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "tt-logins-"));
  const store = openStore(join(folder, "telltale.db"));
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const it = {
    store,
    wallMs: Date.parse("2026-11-23T10:00:00Z"),
    facts: { guards: [], unread: [] } as HostFacts,
    from: (...addresses: string[]) => {
      const guards = addresses.map((text) => ({
        prefix: wholeAddress(parseAddress(text)!),
        because: "live SSH session on port 22",
        isLogin: true as const,
      }));
      it.facts = { guards, unread: [] };
    },
    start: () =>
      new Logins({ current: () => it.facts }, store, {
        now: () => new Date(it.wallMs),
        monotonicMs: () => it.wallMs,
      }),
  };
  return it;
}

const networks = (facts: HostFacts) => facts.loginNetworks?.map(({ because }) => because) ?? [];

test("who logged in is remembered by network over a restart, for a month", (t) => {
  const it = scene(t);
  const first = it.start();
  assert.equal(first.current(), it.facts);
  it.from("203.0.113.9", "203.0.113.77", "2001:db8:7::9");
  const now = first.current();
  assert.equal(first.current(), now, "the same object for as long as nothing changes");
  assert.deepEqual(networks(now), []);
  it.wallMs += 60_000;
  assert.equal(networks(first.current()).length, 2);
  it.from();
  const expected = [
    "somebody logged in from 203.0.113.0/24 on 2026-11-23",
    "somebody logged in from 2001:db8:7::/64 on 2026-11-23",
  ];
  assert.deepEqual(networks(first.current()), expected);
  it.wallMs += 30 * DAY_MS;
  const second = it.start();
  assert.deepEqual(networks(second.current()), expected);
  assert.deepEqual(networks(withLogins(it.facts, rememberedLogins(it.store), it.wallMs - DAY_MS)), expected);
  it.wallMs += DAY_MS;
  assert.deepEqual(networks(second.current()), []);
});

test("other guards are no logins, and what the host itself remembers is not told twice", (t) => {
  const it = scene(t);
  const logins = it.start();
  it.from("203.0.113.9");
  const [guard] = it.facts.guards;
  it.facts = { guards: [{ prefix: guard!.prefix, because: "resolver" }], unread: [] };
  assert.deepEqual(networks(logins.current()), []);
  // Nobody who is in for less than a minute: a server may be slow to say that it still waits for a password.
  it.from("203.0.113.9");
  logins.current();
  it.wallMs += 59_000;
  it.from();
  assert.deepEqual(networks(logins.current()), []);
  it.from("203.0.113.9");
  logins.current();
  it.wallMs += 60_000;
  const own = { prefix: { base: parseAddress("203.0.113.0")!, bits: 24 }, because: "wtmp" };
  it.facts = { ...it.facts, loginNetworks: [own] };
  assert.deepEqual(networks(logins.current()), ["wtmp"]);
});

test("of very many networks the latest are remembered, and a damaged memory is an empty one", (t) => {
  const it = scene(t);
  const logins = it.start();
  for (let n = 0; n < 300; n++) {
    it.from(`10.${n >> 8}.${n & 255}.1`);
    logins.current();
    it.wallMs += 60_000;
    logins.current();
  }
  assert.equal(networks(logins.current()).length, 256);
  assert.ok(rememberedLogins(it.store).has("10.1.43.0/24"));
  for (const text of ["{", '{"a":1}', '[["x",1],[1,2],["10.0.0.0/24","y"],7]']) {
    it.store.marks.set("respond.logins", text);
    assert.equal(rememberedLogins(it.store).size, 0, text);
  }
});
