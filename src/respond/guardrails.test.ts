import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseAddress, parsePrefix } from "../core/address.ts";
import { guardrailFor, prefixesOverlap, refuseBlock, WIDEST_BY_HAND } from "./guardrails.ts";
import type { HostFacts } from "./types.ts";

const facts: HostFacts = {
  guards: [
    { prefix: parsePrefix("192.0.2.1")!, because: "default gateway of eth0" },
    { prefix: parsePrefix("192.0.2.53")!, because: "resolver in /etc/resolv.conf" },
    { prefix: parsePrefix("198.51.100.0/24")!, because: "listed in /etc/portsentry/portsentry.ignore" },
    { prefix: parsePrefix("2001:db8:1::1")!, because: "default gateway of eth0" },
    { prefix: parsePrefix("203.0.113.9")!, because: "live SSH session on port 22" },
  ],
  unread: [],
};

const TABLE: readonly [target: string, want: RegExp | null][] = [
  ["192.0.2.1", /default gateway of eth0/],
  ["192.0.2.2", null],
  ["192.0.2.53", /resolver/],
  ["198.51.100.77", /portsentry\.ignore/],
  ["198.51.101.1", null],
  ["203.0.113.9", /live SSH session/],
  ["2001:db8:1::1", /default gateway/],
  ["2001:db8:1::2", null],
  ["2001:db8:1::/64", /default gateway of eth0 \(2001:db8:1::1\)/],
  ["2001:db8:2::/64", null],
  ["192.0.2.0/24", /default gateway/],
  ["0.0.0.0/0", /loopback/],
  ["::/0", /loopback/],
  ["127.0.0.1", /loopback/],
  ["127.255.3.4", /loopback/],
  ["::1", /loopback/],
  ["::ffff:127.0.0.1", /loopback/],
  ["0.0.0.0", /no real source/],
  ["::", /no real source/],
  ["169.254.169.254", /link-local/],
  ["fe80::1", /link-local/],
  ["224.0.0.251", /multicast/],
  ["ff02::1", /multicast/],
  ["255.255.255.255", /broadcast/],
  ["8.8.8.8", null],
];

for (const [target, want] of TABLE) {
  test(`${target} is ${want === null ? "not protected" : `protected: ${want.source}`}`, () => {
    const why = guardrailFor(parseAddress(target) ?? parsePrefix(target)!, facts);
    if (want === null) assert.equal(why, null);
    else assert.match(why ?? "", want);
  });
}

const ALLOW = [parsePrefix("203.0.113.128/25")!];
const REFUSED: readonly [text: string, want: RegExp | null][] = [
  ["198.51.101.7", null],
  ["2001:db8:9::/64", null],
  ["198.18.0.0/16", null],
  ["192.0.2.1", /default gateway/],
  ["192.0.2.0/24", /default gateway of eth0 \(192\.0\.2\.1\)/],
  ["203.0.113.200", /allow list \(203\.0\.113\.128\/25\)/],
  ["203.0.113.192/30", /allow list/],
  ["198.18.0.0/15", /a \/15 is too wide: at most a \/16/],
  ["2001:db8::/31", /a \/31 is too wide: at most a \/32/],
  ["0.0.0.0/0", /too wide/],
  ["::ffff:0:0/96", /too wide/],
  ["::ffff:127.0.0.1", /loopback/],
];

for (const [text, want] of REFUSED) {
  test(`a request to block "${text.slice(0, 40)}" is ${want === null ? "granted" : `refused: ${want.source}`}`, () => {
    const why = refuseBlock(parsePrefix(text)!, facts, ALLOW);
    if (want === null) assert.equal(why, null);
    else assert.match(why ?? "", want);
  });
}

test("by hand a wider network may be blocked, all of a provider and no more", () => {
  assert.equal(refuseBlock(parsePrefix("11.0.0.0/8")!, facts, ALLOW, WIDEST_BY_HAND), null);
  assert.match(refuseBlock(parsePrefix("10.0.0.0/7")!, facts, ALLOW, WIDEST_BY_HAND) ?? "", /too wide/);
});

test("a prefix is protected exactly when it shares an address with a guard", () => {
  const ip = fc.integer({ min: 0, max: 0xffff }).map((n) => `10.0.${n >> 8}.${n & 255}`);
  const prefix = fc
    .tuple(ip, fc.integer({ min: 16, max: 32 }))
    .map(([base, bits]) => parsePrefix(`${base}/${bits}`)!);
  fc.assert(
    fc.property(prefix, prefix, (a, b) => {
      const range = ({ base, bits }: typeof a) => {
        const from = base.split(".").reduce((n, part) => n * 256 + Number(part), 0);
        return [from, from + 2 ** (32 - bits) - 1] as const;
      };
      const [a0, a1] = range(a);
      const [b0, b1] = range(b);
      const want = a0 <= b1 && b0 <= a1;
      assert.equal(prefixesOverlap(a, b), want);
      assert.equal(guardrailFor(a, { guards: [{ prefix: b, because: "x" }], unread: [] }) !== null, want);
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});
