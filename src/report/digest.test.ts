import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { empty } from "./digest.ts";
import { made, section } from "./fixtures/digest.ts";
import { busyHour, everyType, HOSTILE, line, scan, stamped, verdict } from "./fixtures/events.ts";
import { SLICES } from "./tally.ts";

process.env["TZ"] = "UTC";

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

test("tells of the time in which nobody watched, but not of a quick restart", () => {
  const stop = { type: "guard.stopped", because: "SIGTERM" } as const;
  const start = { type: "guard.started", version: "1", mode: "block" } as const;
  assert.ok(empty(made([stamped(stop, "19:10:00"), stamped(start, "19:10:02")])));
  const { entries } = section([stamped(stop, "19:10:00"), stamped(start, "19:40:00")], "blind")!;
  assert.match(entries[0]!.lines[0]!, /nobody watched for 30m until Nov 22 19:40:00: SIGTERM/);
  const crash = section([stamped(start, "19:10:00"), stamped(start, "19:11:00")], "blind")!;
  assert.match(crash.entries[0]!.lines[0]!, /without having stopped cleanly/);
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
