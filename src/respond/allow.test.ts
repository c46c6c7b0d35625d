import assert from "node:assert/strict";
import test from "node:test";
import { type Address, type PrefixSet, parseAddress } from "../core/address.ts";
import { AllowList, type NameAnswer } from "./allow.ts";

const address = (text: string) => parseAddress(text)!;

function scene(
  entries: string[],
  zone: Record<string, string[] | Error>,
  remembered: readonly NameAnswer[] = [],
) {
  const answers: (readonly NameAnswer[])[] = [];
  const changes: PrefixSet[] = [];
  const faults: string[] = [];
  let nowMs = 1_000;
  const list = new AllowList({
    entries,
    remembered,
    onAnswers: (all) => void answers.push(all),
    onChange: (allow) => void changes.push(allow),
    onFault: (entry, why) => void faults.push(`${entry} ${why}`),
    resolve: async (name): Promise<readonly Address[]> => {
      const answer = zone[name] ?? new Error("ENOTFOUND");
      if (answer instanceof Error) throw answer;
      return answer.map(address);
    },
    clock: { now: () => new Date(1_000_000_000_000 + nowMs), monotonicMs: () => nowMs },
  });
  return {
    list,
    zone,
    answers,
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

test("when DNS falls silent the last answer stays for a week, and it is said once", async (t) => {
  const it = scene(["gw.example.org"], { "gw.example.org": ["198.51.100.7"] });
  t.after(() => it.list.close());
  await it.list.refresh();
  it.zone["gw.example.org"] = new Error("ESERVFAIL");
  it.pass(3_600_000);
  await it.list.refresh();
  await it.list.refresh();
  assert.equal(it.has("198.51.100.7"), true);
  assert.deepEqual(it.faults, [
    "gw.example.org does not resolve: ESERVFAIL; its last addresses stay allowed for a week",
  ]);
  it.pass(7 * 24 * 3_600_000);
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

test("what a name meant is remembered over a restart and counts before DNS has answered", async () => {
  const first = scene(["gw.example.org", "up.example.org"], {
    "gw.example.org": ["198.51.100.7"],
    "up.example.org": ["2001:db8::5"],
  });
  await first.list.refresh();
  const silent = { "gw.example.org": new Error("ETIMEOUT"), "up.example.org": ["2001:db8::6"] };
  const second = scene(["gw.example.org", "up.example.org"], silent, first.answers[0]!);
  assert.deepEqual([second.has("198.51.100.7"), second.has("2001:db8::5")], [true, true]);
  await second.list.refresh();
  assert.deepEqual(
    [second.has("198.51.100.7"), second.has("2001:db8::5"), second.has("2001:db8::6")],
    [true, false, true],
  );
  assert.deepEqual(
    second.list.guards.map(({ because }) => because),
    ["allow list (gw.example.org)", "allow list (up.example.org)"],
  );
});

test("what is remembered is no longer believed after a week, nor of a name that is not listed any more", () => {
  const at = new Date(1_000_000_000_000 - 8 * 86_400_000).toISOString();
  const it = scene(["gw.example.org"], {}, [
    { name: "gw.example.org", addresses: ["198.51.100.7"], at },
    { name: "old.example.org", addresses: ["198.51.100.8"], at: new Date(1_000_000_000_000).toISOString() },
    { name: "gw.example.org", addresses: ["198.51.100.9"], at: "never" },
  ]);
  assert.deepEqual(it.list.current.prefixes, []);
});
