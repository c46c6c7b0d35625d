// The short way to the kernel: check with real packets whose word counts, what it reaches and what it never does.
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type Address, parsePrefix } from "../../core/address.ts";
import { isOpen, isShut, RemoteBackend } from "../backend.contract.ts";
import { cannotLab, type Lab, makeLab } from "../testing/netns.ts";
import type { FirewallChange } from "../types.ts";
import { earlyNameOf, earlyScript } from "./early-rules.ts";

const UID = 64_931;
const CHILD = fileURLToPath(new URL("../testing/early-child.ts", import.meta.url));

/** The given addresses named by this user; whether the packet filter took each. */
function named(lab: Lab, uid: number, ...addresses: string[]): boolean[] {
  const user = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--bounding-set=-all"];
  const said = lab.run(lab.host, "setpriv", ...user, process.execPath, CHILD, ...addresses);
  return JSON.parse(said) as boolean[];
}

async function opened(t: TestContext, perMinute = 100): Promise<{ lab: Lab; backend: RemoteBackend } | null> {
  const why = cannotLab();
  if (why !== null) {
    t.skip(why);
    return null;
  }
  const lab = makeLab(t);
  const backend = new RemoteBackend(t, lab, "nftables", JSON.stringify({ early: { uid: UID, perMinute } }));
  await backend.open();
  return { lab, backend };
}

const heldNow = async (backend: RemoteBackend): Promise<string[]> =>
  (await backend.held()).map(({ target }) => `${target.base}/${target.bits}`).sort();

test("the rules, as the kernel is told to make them", (t) => {
  t.assert.fileSnapshot(earlyScript({ uid: UID, perMinute: 240 }), `${import.meta.dirname}/early.snapshot`, {
    serializers: [(text: string) => text],
  });
});

test("addresses and IPv6 networks of one customer have an early name; networks, lifts and who is slowed down have none", () => {
  const nameOf = (target: string, more: Partial<FirewallChange> = {}) =>
    earlyNameOf({ do: "block", target: parsePrefix(target)!, forMs: 1, ...more } as FirewallChange);
  assert.deepEqual(nameOf("192.0.2.1"), { address: "192.0.2.1", length: 0 });
  assert.deepEqual(nameOf("2001:db8::1"), { address: "2001:db8::1", length: 0 });
  assert.deepEqual(nameOf("2001:db8::/64"), { address: "2001:db8::" as Address, length: 1 });
  for (const wide of ["192.0.2.0/24", "2001:db8::/48", "2001:db8::/65"]) assert.equal(nameOf(wide), null);
  assert.equal(nameOf("192.0.2.1", { throttled: true }), null);
  assert.equal(earlyNameOf({ do: "lift", target: parsePrefix("192.0.2.1")! }), null);
});

test("whom the listener's user names is shut out at once, for a minute, and the order replaces that", {
  timeout: 60_000,
}, async (t) => {
  const it = await opened(t);
  if (it === null) return;
  const { lab, backend } = it;
  await isOpen(lab, "10.77.0.2", "fd77::2");
  assert.deepEqual(named(lab, UID, "10.77.0.2", "fd77::2", "2001:db8:77::/64"), [true, true, true]);
  await isShut(lab, "10.77.0.2", "fd77::2", "2001:db8:77::2", "2001:db8:77::3");
  await isOpen(lab, "10.77.0.3");
  const held = await backend.held();
  assert.equal(held.length, 3);
  for (const { leftMs } of held) assert.ok(leftMs !== null && leftMs <= 60_000, `${leftMs} ms`);
  await backend.block(600_000, "10.77.0.2");
  const [block] = (await backend.held()).filter(({ target }) => target.base === "10.77.0.2");
  assert.ok(block!.leftMs! > 500_000, "the order's time counts");
  // Named again, it keeps the longer time.
  assert.deepEqual(named(lab, UID, "10.77.0.2"), [true]);
  const [still] = (await backend.held()).filter(({ target }) => target.base === "10.77.0.2");
  assert.ok(still!.leftMs! > 500_000, "a second word shortens nothing");
});

test("nobody else's word counts, and nobody's against those who are protected", {
  timeout: 60_000,
}, async (t) => {
  const it = await opened(t);
  if (it === null) return;
  const { lab, backend } = it;
  await backend.allow("10.77.0.2", "fd77::/64", "10.77.0.1");
  assert.deepEqual(named(lab, UID + 1, "10.77.0.3", "2001:db8:77::2", "2001:db8:77::/64"), [
    false,
    false,
    false,
  ]);
  assert.deepEqual(named(lab, 0, "10.77.0.3"), [false]);
  const guarded = ["10.77.0.2", "10.77.0.1", "127.0.0.1", "fd77::2", "fd77::/64", "::1"];
  assert.deepEqual(
    named(lab, UID, ...guarded),
    guarded.map(() => false),
  );
  assert.deepEqual(await heldNow(backend), []);
  await isOpen(lab, "10.77.0.2", "10.77.0.3", "fd77::2");
});

test("so many a minute and no more: the rest waits for its order", { timeout: 60_000 }, async (t) => {
  const it = await opened(t, 5);
  if (it === null) return;
  const many = Array.from({ length: 40 }, (_, n) => `203.0.113.${n + 1}`);
  const heard = named(it.lab, UID, ...many).filter(Boolean).length;
  assert.ok(heard >= 5 && heard <= 7, `${heard} of 40`);
  assert.equal((await it.backend.held()).length, heard);
});

test("without the rules nothing happens, and no datagram ever leaves the host", {
  timeout: 60_000,
}, async (t) => {
  const it = await opened(t);
  if (it === null) return;
  const { lab, backend } = it;
  await backend.close();
  assert.match(lab.run(lab.host, "nft", "list", "table", "inet", "telltale"), /chain prerouting/);
  assert.doesNotMatch(lab.run(lab.host, "nft", "list", "table", "inet", "telltale"), /chain early/);
  lab.run(lab.host, "nft", "delete table inet telltale");
  // Whatever takes the way to the stranger: the datagrams themselves, forwarded or not, and errors that they might cause.
  lab.run(
    lab.host,
    "nft",
    `add table inet wire
    add chain inet wire out { type filter hook output priority 0; }
    add chain inet wire through { type filter hook forward priority 0; }
    add rule inet wire out oifname veth0 meta l4proto { udp, icmp } counter
    add rule inet wire out oifname veth0 icmpv6 type { destination-unreachable, parameter-problem } counter
    add rule inet wire through counter`,
  );
  const forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
  lab.run(lab.host, "sh", "-c", forward);
  const strangers = [
    "10.77.0.2",
    "203.0.113.9",
    "fd77::2",
    "2001:db8:77::2",
    "2001:db8:77::/64",
    "2001:db8:1::1",
  ];
  assert.deepEqual(
    named(lab, UID, ...strangers),
    strangers.map(() => false),
  );
  const counters = lab.run(lab.host, "nft", "list", "table", "inet", "wire").match(/counter packets \d+/g);
  assert.deepEqual(counters, ["counter packets 0", "counter packets 0", "counter packets 0"]);
});
