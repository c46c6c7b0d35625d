import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { formatPrefix, type Prefix } from "../core/address.ts";
import type { EvidenceGrade, Scan } from "../core/events.ts";
import { blockTimeMs, type DecideInput, decide } from "./decide.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { sampleScan } from "./testing/samples.ts";

const NOW = new Date("2026-11-22T20:00:00Z");
// Before the samples' last probe, and at the same moment.
const EARLIER = new Date("2026-11-22T19:50:00Z");
const JUST_NOW = new Date("2026-11-22T19:51:02Z");
const LATER = new Date("2026-11-22T20:05:00Z");
const MINUTE = 60_000;

type Case = {
  readonly say: string;
  readonly source?: string;
  readonly grade?: EvidenceGrade;
  readonly mode?: "observe" | "block";
  readonly guarded?: Record<string, string>;
  readonly loginNetwork?: string;
  readonly standing?: { since?: Date; until: Date; grade: EvidenceGrade; throttled?: boolean };
  readonly shape?: Scan["shape"];
  readonly firstOffence?: "block" | "throttle";
  readonly canThrottle?: boolean;
  readonly letOff?: boolean;
  readonly neighbours?: number;
  readonly before?: number;
  readonly newInLastMinute?: number;
  readonly inForce?: number;
  readonly want: { action: string; target?: string; minutes?: number; because?: RegExp; guardrail?: string };
};

const TABLE: readonly Case[] = [
  {
    say: "a network that somebody has logged in from is blocked for a moment only",
    loginNetwork: "somebody logged in from 198.51.100.0/24 on 2026-11-20",
    grade: "proven",
    before: 4,
    want: {
      action: "block",
      minutes: 2,
      because:
        /provisional, because somebody logged in from .*; to make it last: telltale block 198\.51\.100\.7 --for 1d18h/,
    },
  },
  {
    say: "a first scan is blocked for ten minutes",
    want: { action: "block", target: "198.51.100.7", minutes: 10, because: /4 of 4 first contacts failed/ },
  },
  {
    say: "the second block is four times longer",
    before: 1,
    want: { action: "block", minutes: 40, because: /blocked 1 time before/ },
  },
  {
    say: "forgeable evidence never blocks longer than an hour",
    before: 9,
    want: { action: "block", minutes: 60 },
  },
  {
    say: "proven evidence grows further",
    grade: "proven",
    before: 3,
    want: { action: "block", minutes: 640 },
  },
  { say: "and ends at a week", grade: "proven", before: 99, want: { action: "block", minutes: 7 * 24 * 60 } },
  { say: "observing says what would be done", mode: "observe", want: { action: "block", minutes: 10 } },
  {
    say: "a protected source is never blocked",
    guarded: { "198.51.100.7": "default gateway of eth0" },
    want: {
      action: "ignore",
      guardrail: "default gateway of eth0",
      because: /never blocked: default gateway of eth0/,
    },
  },
  {
    say: "not even on proven evidence",
    grade: "proven",
    guarded: { "198.51.100.7": "live SSH session on port 22" },
    want: { action: "ignore" },
  },
  {
    say: "a protected source is named as such even past the cap",
    newInLastMinute: 60,
    guarded: { "198.51.100.7": "allow list" },
    want: { action: "ignore", guardrail: "allow list" },
  },
  {
    say: "a source that is blocked is not blocked again",
    standing: { until: LATER, grade: "spoofable" },
    want: { action: "ignore", because: /already blocked until 2026-11-22T20:05:00/ },
  },
  {
    say: "unless what was forgeable is now proven",
    standing: { until: LATER, grade: "spoofable" },
    grade: "proven",
    before: 1,
    want: { action: "block", minutes: 40 },
  },
  {
    say: "proven stays proven",
    standing: { until: LATER, grade: "proven" },
    grade: "proven",
    want: { action: "ignore" },
  },
  {
    say: "a block that has ended does not count as standing",
    standing: { until: NOW, grade: "proven" },
    want: { action: "block" },
  },
  {
    say: "past the cap of a minute it watches",
    newInLastMinute: 60,
    want: { action: "watch", because: /circuit breaker: 60 new blocks in the last minute, at most 60/ },
  },
  { say: "one below the cap it blocks", newInLastMinute: 59, want: { action: "block" } },
  {
    say: "past the cap in force it watches",
    inForce: 100_000,
    want: { action: "watch", because: /100000 blocks in force/ },
  },
  {
    say: "an IPv6 source is blocked with its /64",
    source: "2001:db8:9::7",
    want: { action: "block", target: "2001:db8:9::/64" },
  },
  {
    say: "unless somebody in the /64 is protected",
    source: "2001:db8:9::7",
    guarded: { "2001:db8:9::/64": "own address on eth0" },
    want: { action: "block", target: "2001:db8:9::7" },
  },
  {
    say: "a first offence is slowed down where the administrator wants that",
    firstOffence: "throttle",
    want: { action: "throttle", target: "198.51.100.7", minutes: 10, because: /a first offence/ },
  },
  {
    say: "with its /64 over IPv6",
    firstOffence: "throttle",
    source: "2001:db8:9::7",
    want: { action: "throttle", target: "2001:db8:9::/64" },
  },
  {
    say: "not when the evidence is proven",
    firstOffence: "throttle",
    grade: "proven",
    want: { action: "block", minutes: 10 },
  },
  { say: "nor the second time", firstOffence: "throttle", before: 1, want: { action: "block", minutes: 40 } },
  {
    say: "whoever goes on although slowed down is blocked, and the first block is a first block",
    firstOffence: "throttle",
    standing: { until: LATER, grade: "spoofable", throttled: true },
    before: 1,
    want: { action: "block", minutes: 10, because: /although slowed down/ },
  },
  {
    say: "what was on the wire when it was slowed down is not going on",
    standing: { since: JUST_NOW, until: LATER, grade: "spoofable", throttled: true },
    before: 1,
    want: { action: "ignore", because: /already slowed down until 2026-11-22T20:05:00/ },
  },
  {
    say: "unless it is proven by now",
    grade: "proven",
    standing: { since: JUST_NOW, until: LATER, grade: "spoofable", throttled: true },
    before: 1,
    want: { action: "block", minutes: 10 },
  },
  {
    say: "also past the cap: it holds a place already",
    standing: { until: LATER, grade: "spoofable", throttled: true },
    before: 1,
    newInLastMinute: 60,
    want: { action: "block" },
  },
  {
    say: "a ping sweep has learned little, and is slowed down at first",
    shape: "sweep",
    want: { action: "throttle", minutes: 10 },
  },
  { say: "a second sweep is blocked", shape: "sweep", before: 1, want: { action: "block" } },
  {
    say: "a firewall that cannot slow down lets the first one off, and says so",
    shape: "sweep",
    canThrottle: false,
    want: { action: "watch", because: /a first offence is slowed down, which this firewall cannot/ },
  },
  {
    say: "the next one it blocks",
    shape: "sweep",
    canThrottle: false,
    letOff: true,
    want: { action: "block", minutes: 10 },
  },
  {
    say: "a throttle counts against the cap like a block",
    firstOffence: "throttle",
    newInLastMinute: 60,
    want: { action: "watch", because: /circuit breaker/ },
  },
  {
    say: "whoever is protected is not slowed down either",
    firstOffence: "throttle",
    guarded: { "198.51.100.7": "default gateway of eth0" },
    want: { action: "ignore", guardrail: "default gateway of eth0" },
  },
  {
    say: "past the cap a network of proven scanners is blocked whole",
    grade: "proven",
    newInLastMinute: 60,
    neighbours: 7,
    want: {
      action: "block",
      target: "198.51.100.0/24",
      minutes: 10,
      because: /7 other proven scanners of 198\.51\.100\.0\/24, and 60 new blocks in the last minute/,
    },
  },
  {
    say: "over IPv6 the /48",
    source: "2001:db8:9:1::7",
    grade: "proven",
    inForce: 100_000,
    neighbours: 7,
    want: { action: "block", target: "2001:db8:9::/48" },
  },
  {
    say: "not below the number that was set",
    grade: "proven",
    newInLastMinute: 60,
    neighbours: 6,
    want: { action: "watch", because: /circuit breaker/ },
  },
  {
    say: "not on evidence that could be forged",
    newInLastMinute: 60,
    neighbours: 100,
    want: { action: "watch", because: /circuit breaker/ },
  },
  {
    say: "not below the cap",
    grade: "proven",
    neighbours: 100,
    want: { action: "block", target: "198.51.100.7" },
  },
  {
    say: "never a network that holds somebody protected",
    grade: "proven",
    newInLastMinute: 60,
    neighbours: 100,
    guarded: { "198.51.100.0/24": "live SSH session on port 22 (198.51.100.9)" },
    want: { action: "watch", because: /circuit breaker/ },
  },
  {
    say: "nor one that somebody has logged in from",
    grade: "proven",
    newInLastMinute: 60,
    neighbours: 100,
    loginNetwork: "somebody logged in from 198.51.100.0/24 on 2026-11-20",
    want: { action: "watch", because: /circuit breaker/ },
  },
];

function input(each: Case): DecideInput {
  return {
    scan: sampleScan(each.source ?? "198.51.100.7", {
      grade: each.grade ?? "spoofable",
      shape: each.shape ?? "vertical",
    }),
    firstOffence: each.firstOffence ?? "block",
    canThrottle: each.canThrottle ?? true,
    findingId: "finding",
    mode: each.mode ?? "block",
    neighbours: () => each.neighbours ?? 0,
    limits: DEFAULT_LIMITS,
    now: NOW,
    chance: 0.5,
    guardrails: (target: Prefix) => each.guarded?.[formatPrefix(target)] ?? null,
    provisional: () => each.loginNetwork ?? null,
    history: {
      inForce: () =>
        each.standing === undefined ? null : { since: EARLIER, throttled: false, ...each.standing },
      times: () => each.before ?? 0,
      letOff: () => each.letOff ?? false,
    },
    load: { newInLastMinute: each.newInLastMinute ?? 0, inForce: each.inForce ?? 0 },
  };
}

for (const each of TABLE) {
  test(each.say, () => {
    const verdict = decide(input(each));
    const { action, target, minutes, because, guardrail } = each.want;
    assert.equal(verdict.action, action);
    assert.equal(verdict.findingId, "finding");
    assert.equal(verdict.mode, each.mode ?? "block");
    if (target !== undefined) assert.equal(verdict.target, target);
    if (minutes !== undefined) assert.equal(verdict.forMs, minutes * MINUTE);
    if (action !== "block" && action !== "throttle") assert.equal(verdict.forMs, 0);
    if (because !== undefined) assert.match(verdict.because, because);
    assert.equal(verdict.guardrail, guardrail ?? each.guarded?.["198.51.100.7"]);
  });
}

test("a block lasts at least its first time less the jitter, at most the cap plus it, whatever came before", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 10_000 }),
      fc.constantFrom<EvidenceGrade>("proven", "spoofable"),
      fc.double({ min: 0, max: 0.999_999, noNaN: true }),
      (before, grade, chance) => {
        const forMs = blockTimeMs(before, grade, DEFAULT_LIMITS, chance);
        const cap = grade === "proven" ? DEFAULT_LIMITS.capMs : DEFAULT_LIMITS.spoofableCapMs;
        assert.ok(forMs >= DEFAULT_LIMITS.blockMs * 0.9 && forMs <= cap * 1.1, String(forMs));
        assert.equal(forMs % 1_000, 0);
        assert.ok(blockTimeMs(before + 1, grade, DEFAULT_LIMITS, chance) >= forMs);
      },
    ),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});

test("whatever the scan, a guarded source is never blocked", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.boolean(), fc.nat(100), fc.nat(100_000), (source, proven, recent, inForce) => {
      const verdict = decide({
        ...input({
          say: "",
          source,
          grade: proven ? "proven" : "spoofable",
          newInLastMinute: recent,
          inForce,
          want: { action: "ignore" },
        }),
        guardrails: () => "guarded",
      });
      assert.equal(verdict.action, "ignore");
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});
