import assert from "node:assert/strict";
import test from "node:test";
import { type Address, type PrefixSet, parseAddress } from "../core/address.ts";
import { AllowList } from "./allow.ts";

const address = (text: string) => parseAddress(text)!;

function scene(entries: string[], zone: Record<string, string[] | Error>) {
  const changes: PrefixSet[] = [];
  const faults: string[] = [];
  let nowMs = 1_000;
  const list = new AllowList({
    entries,
    onChange: (allow) => void changes.push(allow),
    onFault: (entry, why) => void faults.push(`${entry} ${why}`),
    resolve: async (name): Promise<readonly Address[]> => {
      const answer = zone[name] ?? new Error("ENOTFOUND");
      if (answer instanceof Error) throw answer;
      return answer.map(address);
    },
    clock: { now: () => new Date(0), monotonicMs: () => nowMs },
  });
  return {
    list,
    zone,
    changes,
    faults,
    pass: (ms: number) => void (nowMs += ms),
    has: (text: string) => list.current.has(address(text)),
  };
}

test("addresses and networks count at once, names once they are looked up, and anew when they move", async (t) => {
  const it = scene(["192.0.2.1", "2001:db8::/32", "gw.example.org"], {
    "gw.example.org": ["198.51.100.7", "2001:db9::7"],
  });
  t.after(() => it.list.close());
  assert.deepEqual(
    [it.has("192.0.2.1"), it.has("2001:db8:5::1"), it.has("198.51.100.7")],
    [true, true, false],
  );
  await it.list.refresh();
  assert.deepEqual([it.has("198.51.100.7"), it.has("2001:db9::7")], [true, true]);
  await it.list.refresh();
  assert.equal(it.changes.length, 1, "the same answer is no change");
  it.zone["gw.example.org"] = ["198.51.100.8"];
  await it.list.refresh();
  assert.deepEqual(
    [it.has("198.51.100.7"), it.has("198.51.100.8"), it.has("192.0.2.1")],
    [false, true, true],
  );
});

test("when DNS falls silent the last answer stays for a day, and it is said once", async (t) => {
  const it = scene(["gw.example.org"], { "gw.example.org": ["198.51.100.7"] });
  t.after(() => it.list.close());
  await it.list.refresh();
  it.zone["gw.example.org"] = new Error("ESERVFAIL");
  it.pass(3_600_000);
  await it.list.refresh();
  await it.list.refresh();
  assert.equal(it.has("198.51.100.7"), true);
  assert.deepEqual(it.faults, [
    "gw.example.org does not resolve: ESERVFAIL; its last addresses stay allowed for a day",
  ]);
  it.pass(24 * 3_600_000);
  await it.list.refresh();
  assert.equal(it.has("198.51.100.7"), false);
});

test("a name that names too much is cut, and what is no name is named as a fault", async (t) => {
  const many = Array.from({ length: 100 }, (_, i) => `10.0.0.${i}`);
  const it = scene(["many.example.org", "192.0.2.300", "1.2.3", "$(id)", "a b", "-x.org", ""], {
    "many.example.org": many,
  });
  t.after(() => it.list.close());
  await it.list.refresh();
  assert.equal(it.list.current.prefixes.length, 64);
  assert.deepEqual(it.faults.map((fault) => fault.split(" is neither")[0]).slice(0, 6), [
    "192.0.2.300",
    "1.2.3",
    "$(id)",
    "a b",
    "-x.org",
    "",
  ]);
  assert.match(it.faults[6]!, /has 100 addresses; the first 64 are allowed/);
});
