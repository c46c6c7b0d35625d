// Attacks in the digest: scans, verdicts and blocks of one source are one entry, and a flood of them stays readable.
import assert from "node:assert/strict";
import test from "node:test";
import { made, section } from "./fixtures/digest.ts";
import { busyHour, line, probe, scan, stamped, verdict } from "./fixtures/events.ts";

process.env["TZ"] = "UTC";

test("puts scan, verdict and block of one source together, however far apart they came", () => {
  const entries = section(busyHour(), "attacks")!.entries;
  const blocked = entries.find((entry) => entry.lines.some((each) => each.includes("192.0.2.7")))!;
  assert.equal(
    blocked.lines.at(-1),
    "Nov 22 19:51:02 web1 telltale[812]: attackalert: Host 192.0.2.7 has been blocked via nftables until Nov 22 20:01:02",
  );
  assert.ok(blocked.lines[0]!.endsWith("SYN/Normal scan from host: 192.0.2.7/192.0.2.7 to TCP port: 1"));
});

test("links a block of a prefix to the scan it answers", () => {
  const applied = {
    type: "block.applied",
    target: "2001:db8::/64",
    until: "2026-11-22T20:01:02.000Z",
    because: "scan",
    findingId: "f1",
  } as const;
  const { entries } = section(
    [stamped(scan("2001:db8::7", [1, 2]), "19:51:02", "f1"), stamped(applied)],
    "attacks",
  )!;
  assert.equal(entries.length, 1);
  assert.match(entries[0]!.lines.at(-1)!, /Host 2001:db8::\/64 has been blocked/);
});

test("takes the addresses of one IPv6 network for one attacker, whether scan or block came first", () => {
  const applied = {
    type: "block.applied",
    target: "2001:db8::/64",
    until: "2026-11-22T20:01:02.000Z",
    because: "tripwire",
    findingId: "",
  } as const;
  const scans = ["2001:db8::7", "2001:db8::8"].map((source) => stamped(scan(source, [1, 2])));
  for (const events of [
    [stamped(applied), ...scans],
    [...scans, stamped(applied)],
  ]) {
    assert.equal(section(events, "attacks")!.entries.length, 1);
  }
  const other = stamped(scan("2001:db8:0:1::7", [1, 2]));
  assert.equal(section([...scans, other], "attacks")!.entries.length, 2);
});

test("does not mix blocks of different hosts that answer no finding", () => {
  const by = (target: string) =>
    ({
      type: "block.applied",
      target,
      until: "2026-11-22T20:01:02.000Z",
      because: "by hand",
      findingId: "",
    }) as const;
  const events = [by("192.0.2.1"), by("192.0.2.2"), verdict("192.0.2.3", { findingId: "" })].map((each) =>
    stamped(each),
  );
  assert.equal(section(events, "attacks")!.entries.length, 3);
});

test("names the widest scan first and cracking lines in the same section", () => {
  const events = [
    stamped(line("cracking", "exploit attempt")),
    stamped(scan("192.0.2.1", [1, 2])),
    stamped(scan("192.0.2.2", [1, 2, 3, 4, 5, 6])),
  ];
  const texts = section(events, "attacks")!.entries.map((entry) => entry.lines[0]!);
  assert.match(texts[0]!, /192\.0\.2\.2/);
  assert.match(texts[1]!, /192\.0\.2\.1/);
  assert.equal(texts[2], "exploit attempt");
});

test("reports a growing scan once, with its last width", () => {
  const events = [
    stamped(scan("192.0.2.7", [1, 2, 3, 4])),
    stamped(scan("192.0.2.7", [1, 2, 3, 4], { distinct: 900 })),
  ];
  const { entries } = section(events, "attacks")!;
  assert.equal(entries.length, 1);
  assert.match(entries[0]!.notes[0]!, /^900 ports of one address, .*reported 2 times as it grew/);
});

test("in observe mode says what would have been blocked, once per source", () => {
  const events = [1, 2, 3].map(() => stamped(verdict("192.0.2.7")));
  const result = made(events, { mode: "observe" });
  const lines = result.sections[0]!.entries.flatMap((entry) => entry.lines);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /Host 192\.0\.2\.7 would have been blocked/);
  assert.equal(result.totals.wouldBlock, 1);
  assert.equal(result.totals.blocked, 0);
});

test("tells of a source that the circuit breaker left unblocked", () => {
  const watch = verdict("192.0.2.7", {
    action: "watch",
    mode: "block",
    because: "circuit breaker: 60 new blocks",
  });
  const lines = section([stamped(scan("192.0.2.7", [1])), stamped(watch)], "attacks")!.entries[0]!.lines;
  assert.match(lines.at(-1)!, /Host 192\.0\.2\.7 is watched, not blocked: circuit breaker/);
});

test("bounds a section in a forged flood and counts who is left out", () => {
  const events = Array.from({ length: 30_000 }, (_, i) =>
    stamped(scan(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, [80])),
  );
  const { entries, leftOut } = section(events, "attacks", { maxLinesPerSection: 40 })!;
  assert.ok(entries.flatMap((entry) => entry.lines).length <= 40);
  assert.equal(entries.length + leftOut.events, 30_000);
});

test("of many attackers the widest are told at length, the others in short, and a failed block always whole", () => {
  const block = (target: string) =>
    stamped({
      type: "block.applied",
      target,
      until: "2026-11-22T20:01:02.000Z",
      because: "ports",
      findingId: "none",
      via: "nftables",
    });
  const many = Array.from({ length: 8 }, (_, i) => `203.0.113.${i}`).flatMap((source) => [
    stamped(scan(source, [1, 2, 3])),
    block(source),
  ]);
  const failed = {
    type: "block.failed",
    target: "192.0.2.9",
    why: "no table",
    mend: "",
    findingId: "none",
  } as const;
  const { entries } = section([...many, stamped(scan("192.0.2.9", [5])), stamped(failed)], "attacks")!;
  assert.equal(entries.length, 9);
  assert.match(entries[0]!.lines.join("\n"), /192\.0\.2\.9 could not be blocked: no table/);
  assert.equal(entries[4]!.lines.length, 4);
  assert.deepEqual(entries[8]!.lines.length, 1);
  assert.deepEqual(entries[8]!.notes, [
    "3 ports of one address, 19:51:02 to 19:51:04; has been blocked via nftables until Nov 22 20:01:02",
  ]);
});

test("names the busiest of a hundred thousand blocks and counts the rest", () => {
  const blocksInForce = Array.from({ length: 100_000 }, (_, i) => ({
    target: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    since: "2026-11-22T19:00:00Z",
    until: "2026-11-22T20:00:00Z",
    because: "scan",
    packetsStopped: i,
  }));
  const { entries, leftOut } = section([], "blocks", { blocksInForce })!;
  assert.equal(entries.length, 100);
  assert.equal(leftOut.events, 99_900);
  assert.match(
    entries[0]!.lines[0]!,
    /^10\.1\.134\.159 since Nov 22 19:00:00 until Nov 22 20:00:00, 99,999 packets stopped/,
  );
});

test("a pattern of many sources is one attack, at its widest, and says that it accuses nobody", () => {
  const distributed = (ports: number) =>
    stamped({
      type: "scan.distributed",
      scan: {
        firstAt: "2026-11-22T19:00:00.000Z",
        lastAt: "2026-11-22T19:05:00.000Z",
        sources: ports,
        ports,
        contacts: ports,
        reason: `${ports} first contacts of about ${ports} sources went to ${ports} different ports`,
        hint: "zmap",
        probes: [probe("192.0.2.7", 8_080)],
      },
    });
  const { entries } = section([distributed(128), distributed(1_024)], "attacks")!;
  assert.equal(entries.length, 1);
  assert.match(entries[0]!.lines[0]!, /attackalert: Distributed scan from about 1024 hosts to 1024 ports$/);
  assert.match(entries[0]!.notes.join("\n"), /reported 2 times as it grew/);
  assert.match(entries[0]!.notes.join("\n"), /held against no single source/);
  assert.match(entries[0]!.notes.join("\n"), /looks like zmap, a hint and no proof/);
  assert.match(entries[0]!.notes.join("\n"), /ports among them: 8080/);
});
