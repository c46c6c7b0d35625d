import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Event } from "../core/events.ts";
import { digest, empty } from "./digest.ts";
import { busyHour, everyType, HOSTILE, line, probe, scan, stamped, verdict } from "./fixtures/events.ts";
import { SLICES } from "./tally.ts";
import type { DigestInput, SectionKey } from "./types.ts";

process.env["TZ"] = "UTC";

function made(events: readonly Event[], more: Partial<DigestInput> = {}) {
  return digest({
    host: "web1",
    from: new Date("2026-11-22T19:00:00Z"),
    to: new Date("2026-11-22T20:00:00Z"),
    mode: "block",
    events,
    blocksInForce: [],
    pid: 812,
    ...more,
  });
}

function section(events: readonly Event[], key: SectionKey, more: Partial<DigestInput> = {}) {
  return made(events, more).sections.find((each) => each.key === key);
}

test("has its sections in order of gravity, and only those with content", () => {
  const block = {
    target: "192.0.2.7",
    since: new Date("2026-11-22T19:51:02Z"),
    until: null,
    because: "vertical scan",
    packetsStopped: 12,
  };
  assert.deepEqual(
    made(busyHour(), { blocksInForce: [block] }).sections.map((each) => each.title),
    [
      "Active System Attack Alerts",
      "Security Violations",
      "Unusual System Events",
      "Rotations",
      "Blocks in force",
      "Logs that no rotation covers",
      "Blind spots",
    ],
  );
  assert.deepEqual(
    made([stamped(line("system", "odd"))]).sections.map((each) => each.key),
    ["system"],
  );
});

test("is empty when nothing happened, also while old blocks still hold", () => {
  assert.ok(empty(made([])));
  const block = {
    target: "192.0.2.7",
    since: "2026-11-01T00:00:00Z",
    until: null,
    because: "x",
    packetsStopped: 1,
  };
  assert.ok(empty(made([], { blocksInForce: [block] })));
  assert.ok(empty(made([stamped({ type: "report.delivered", route: "stdout", subject: "x" })])));
  assert.ok(!empty(made([stamped(line("system", "odd"))])));
});

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

test("shows a ready stanza in its lines, but no line that a path wrote", () => {
  const log = {
    type: "log.uncovered",
    path: "/opt/a.log",
    sizeBytes: 9,
    writer: "",
    mend: "write\n/opt/a.log {\n}",
  } as const;
  const { entries } = section([stamped(log)], "uncovered")!;
  assert.deepEqual(entries[0]!.lines, ["/opt/a.log (9 bytes)"]);
  assert.deepEqual(entries[0]!.notes, ["mend: write", "/opt/a.log {", "}"]);
  const evil = { ...log, path: "/opt/\nmend: x", mend: "write /opt/\nmend: x" };
  assert.deepEqual(section([stamped(evil)], "uncovered")!.entries[0]!.notes, [
    "mend: write /opt/\\x0amend: x",
  ]);
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

test("puts failed rotations before done ones and folds a failure that repeats", () => {
  const failed = {
    type: "rotation.failed",
    log: "/var/log/a",
    why: "disk full",
    mend: "free space",
  } as const;
  const done = {
    type: "log.rotated",
    log: "/var/log/b",
    to: "/var/log/b.1",
    sizeBytes: 10,
    because: "daily",
  } as const;
  const { entries } = section(
    [stamped(done), stamped(failed, "19:10:00"), stamped(failed, "19:20:00")],
    "rotations",
  )!;
  assert.match(entries[0]!.lines[0]!, /FAILED \/var\/log\/a: disk full$/);
  assert.deepEqual(entries[0]!.notes, ["mend: free space", "2 times, 19:10:00 to 19:20:00"]);
  assert.match(entries[1]!.lines[0]!, /\/var\/log\/b -> \/var\/log\/b\.1 \(10 bytes\): daily/);
});

test("a log that was rotated often stands there once, with all its bytes and warnings", () => {
  const rotated = (at: string, warning?: string) =>
    stamped(
      {
        type: "log.rotated",
        log: "/var/log/b",
        to: "/var/log/b.1",
        sizeBytes: 1_000_000,
        because: "size 1M reached",
        bytesAtRisk: 10,
        ...(warning !== undefined && { warning }),
      },
      at,
    );
  const { entries } = section(
    [
      stamped(scan("192.0.2.7", [1])),
      rotated("19:10:00", "odd"),
      rotated("19:20:00", "odd"),
      rotated("19:30:00"),
    ],
    "rotations",
  )!;
  assert.equal(entries.length, 1);
  assert.match(
    entries[0]!.lines[0]!,
    /^Nov 22 19:30:00 \/var\/log\/b -> .* \(3\.0 MB in 3 rotations\): size 1M reached$/,
  );
  assert.deepEqual(entries[0]!.notes, [
    "copytruncate: up to 30 bytes may have been lost",
    "warning: odd",
    "3 times, 19:10:00 to 19:30:00",
  ]);
  assert.equal(entries[0]!.count, 3);
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

test("tells with the next news that rotation works, what it removed, and what it warns of", () => {
  const events = [
    {
      type: "log.rotated",
      log: "/var/log/b",
      to: "/var/log/b.1",
      sizeBytes: 10,
      because: "daily",
      bytesAtRisk: 512,
      warning: "no O_APPEND",
    },
    { type: "log.pruned", path: "/srv/old.log", sizeBytes: 4_200_000, because: "max_age of retention.app" },
  ] as const;
  const result = made(events.map((each) => stamped(each)));
  assert.ok(empty(result));
  const [rotated] = result.sections[0]!.entries;
  const [pruned] = result.sections[1]!.entries;
  assert.deepEqual(rotated!.notes, [
    "copytruncate: up to 512 bytes may have been lost",
    "warning: no O_APPEND",
  ]);
  assert.match(pruned!.lines[0]!, /REMOVED \/srv\/old\.log \(4\.2 MB\): max_age of retention\.app$/);
});

test("adds up what was lost", () => {
  const { entries } = section(busyHour(), "blind")!;
  assert.match(entries[0]!.lines[0]!, /100 packets: packets arrived faster/);
});

test("finds a sentence for every event of loss", () => {
  const losses = [
    "part.failed",
    "packets.lost",
    "sources.evicted",
    "scans.withheld",
    "lines.skipped",
    "log.unreadable",
    "log.shrank",
    "log.silent",
    "report.failed",
    "config.rejected",
    "config.faulty",
    "block.failed",
  ];
  for (const event of everyType()) {
    assert.equal(section([event], "blind") !== undefined, losses.includes(event.type), event.type);
  }
});

test("makes no attack and no report of blocks that merely end", () => {
  const lifted = { type: "block.lifted", target: "192.0.2.7", cause: "expired", packetsStopped: 12 } as const;
  const result = made([stamped(lifted), stamped({ ...lifted, target: "192.0.2.8" })]);
  assert.ok(empty(result));
  assert.deepEqual(
    result.sections.map((each) => [each.key, each.entries[0]!.lines[0]]),
    [["blocks", "2 blocks ended in this period, 24 packets stopped by them"]],
  );
});

test("folds the same trouble with other figures, but keeps every path apart", () => {
  const trip = (count: number) =>
    ({
      type: "part.failed",
      part: "respond",
      why: `${count} new blocks`,
      mend: "",
      stillRuns: "the rest",
    }) as const;
  const log = (path: string) => ({ type: "log.unreadable", path, why: "EACCES", mend: "" }) as const;
  const events = [trip(61), trip(64), log("/var/log/app1"), log("/var/log/app2")].map((each) =>
    stamped(each),
  );
  assert.equal(section(events, "blind")!.entries.length, 3);
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

test("tells of the time in which nobody watched, but not of a quick restart", () => {
  const stop = { type: "guard.stopped", because: "SIGTERM" } as const;
  const start = { type: "guard.started", version: "1", mode: "block" } as const;
  assert.ok(empty(made([stamped(stop, "19:10:00"), stamped(start, "19:10:02")])));
  const { entries } = section([stamped(stop, "19:10:00"), stamped(start, "19:40:00")], "blind")!;
  assert.match(entries[0]!.lines[0]!, /nobody watched for 30m until Nov 22 19:40:00: SIGTERM/);
  const crash = section([stamped(start, "19:10:00"), stamped(start, "19:11:00")], "blind")!;
  assert.match(crash.entries[0]!.lines[0]!, /without having stopped cleanly/);
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

test("counts only new ports of a growing scan into the chart", () => {
  const events = [
    stamped(scan("192.0.2.7", [1, 2, 3, 4]), "19:00:00"),
    stamped(scan("192.0.2.7", [1, 2, 3, 4], { distinct: 100 }), "19:59:59"),
  ];
  const { series } = made(events);
  assert.equal(series.length, SLICES);
  assert.equal(series[0]!.probes, 4);
  assert.equal(series.at(-1)!.probes, 96);
});

test("lets no unsafe character into any text, whoever wrote it", () => {
  const hostile = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(hostile, (text) => {
      const events = [
        stamped(line("cracking", text)),
        stamped(line("system", text)),
        stamped(scan("192.0.2.7", [1], { reason: text })),
        stamped(verdict("192.0.2.7", { because: text })),
        stamped({ type: "log.rotated", log: text, to: text, sizeBytes: 1, because: text }),
        stamped({ type: "rotation.failed", log: text, why: text, mend: text }),
        stamped({ type: "log.uncovered", path: text, sizeBytes: 1, writer: text, mend: text }),
        stamped({ type: "lines.skipped", source: text, count: 1, because: text }),
        stamped({ type: "part.failed", part: "check", why: text, mend: text, stillRuns: text }),
      ];
      const block = { target: text, since: text, until: text, because: text, packetsStopped: 1 };
      const result = made(events, { host: text, blocksInForce: [block] });
      const texts = result.sections
        .flatMap((each) => each.entries)
        .flatMap((entry) => [...entry.lines, ...entry.notes]);
      for (const shown of [result.host, ...texts]) {
        assert.doesNotMatch(shown, /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/);
      }
    }),
  );
});
