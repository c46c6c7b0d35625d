// A day of ordinary traffic of every kind at once: nobody who took part is called a scanner, and a scanner in the midst of
// them is found. Played to the engine as live packets, and through a recording as `telltale sentry --pcap` reads it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import type { Clock } from "../core/clock.ts";
import type { Scan } from "../core/events.ts";
import { RecordingWriter } from "../sources/packets/pcap.ts";
import { framesOf } from "../sources/packets/recording.ts";
import { craft } from "./craft.ts";
import { Engine } from "./engine.ts";
import { Listeners } from "./listeners.ts";
import { LocalAddresses } from "./local.ts";
import { replay } from "./replay.ts";
import { at, HOST4, HOST6, STATE_BYTES } from "./testing/engine-bench.ts";
import { Day, DaySockets, type Moment, scanAmong } from "./testing/ordinary-day.ts";
import { KINDS } from "./testing/ordinary-kinds.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 12);
const BEGIN = Date.UTC(2026, 0, 5);

/** A cheap generator: the day must be the same when it is played twice. */
function chanceOf(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** Who is told by an engine whose kernel hands over what the live one does: nothing that went to everybody. */
function watchLive(moments: readonly Moment[]): Scan[] {
  const sockets = new DaySockets();
  let nowMs = BEGIN;
  const clock: Clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs };
  const locals = new LocalAddresses();
  locals.add(HOST4);
  locals.add(HOST6);
  const scans: Scan[] = [];
  const listeners = new Listeners(sockets, clock);
  const engine = new Engine({
    listeners,
    locals,
    clock,
    maxStateBytes: STATE_BYTES,
    seed: 7,
    nameOf: () => "eth0",
    onScan: (scan) => scans.push(scan) > 0,
  });
  for (const moment of moments) {
    nowMs = BEGIN + moment.atMs;
    sockets.take(moment);
    if (!("packet" in moment) || (moment.cast !== "one" && moment.packet.sent !== true)) continue;
    engine.observe(craft({ ...moment.packet, atMs: nowMs }));
  }
  return scans;
}

const MAC = { one: [2, 0, 0, 0, 0, 1], all: [255, 255, 255, 255, 255, 255], group: [1, 0, 94, 0, 0, 1] };

/** Who is told when the same packets are read from a file, with the host's addresses known or not. */
function watchRecording(path: string, moments: readonly Moment[], isHostKnown: boolean): Scan[] {
  {
    using writer = new RecordingWriter(path, 1);
    for (const moment of moments) {
      if (!("packet" in moment)) continue;
      const { bytes, etherType } = craft(moment.packet);
      const frame = Uint8Array.from([
        ...MAC[moment.cast],
        2,
        0,
        0,
        0,
        0,
        2,
        etherType >> 8,
        etherType & 255,
        ...bytes,
      ]);
      writer.write(BEGIN + moment.atMs, frame, frame.length);
    }
  }
  const scans: Scan[] = [];
  replay({
    open: () => framesOf(path),
    ...(isHostKnown && { home: [HOST4, HOST6] }),
    onScan: (scan) => scans.push(scan),
  });
  return scans;
}

const sourcesOf = (scans: readonly Scan[]): string[] => [...new Set(scans.map(({ source }) => source))];

for (const [name, kind] of Object.entries(KINDS)) {
  test(`${name}: no scan`, () => {
    for (let seed = 1; seed <= 3; seed++) {
      const day = new Day(chanceOf(seed));
      kind(day, 60_000);
      assert.deepEqual(
        watchLive(day.inOrder()).map(({ source, reason, probes }) => ({ source, reason, probes })),
        [],
      );
    }
  });
}

test("over random mixtures of a day's traffic nobody is accused but the scanner in the midst of it", () => {
  const dir = mkdtempSync(join(tmpdir(), "tt-day-"));
  try {
    fc.assert(
      fc.property(
        fc.subarray(Object.keys(KINDS), { minLength: 3 }),
        fc.integer({ min: 1, max: 2 ** 30 }),
        fc.uniqueArray(fc.integer({ min: 1_100, max: 4_000 }), { minLength: 7, maxLength: 12 }),
        fc.constantFrom(1, 300, 30_000, 3_600_000),
        fc.boolean(),
        (kinds, seed, ports, paceMs, hasScanner) => {
          const day = new Day(chanceOf(seed));
          for (const kind of kinds) KINDS[kind]!(day, 60_000 + day.between(0, 7_200_000));
          const used = new Set([2_049, 2_055, 1_900, 3_702]);
          const unused = ports.filter((port) => !used.has(port));
          const expected = hasScanner ? [scanAmong(day, day.between(60_000, 900_000), unused, paceMs)] : [];
          const moments = day.inOrder();
          assert.deepEqual(sourcesOf(watchLive(moments)), expected, "live");
          for (const isHostKnown of [true, false])
            assert.deepEqual(
              sourcesOf(watchRecording(join(dir, "day.pcap"), moments, isHostKnown)),
              expected,
              `recorded, host ${isHostKnown ? "known" : "unknown"}`,
            );
        },
      ),
      { numRuns: RUNS },
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a recording that begins in the middle of connections accuses no server, whatever system was recorded", () => {
  const server = "203.0.113.80" as const;
  const scans: Scan[] = [];
  replay({
    home: [HOST4],
    open: () =>
      Array.from({ length: 40 }, (_, n) =>
        craft({ source: at(server), target: HOST4, sourcePort: 443, port: 64_400 + n, flags: 0x10, atMs: n }),
      ),
    onScan: (scan) => scans.push(scan),
  });
  assert.deepEqual(scans, []);
});
