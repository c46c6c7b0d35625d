// The sentry at its post, with a packet source that plays what the test says.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { type Address, parseAddress } from "../core/address.ts";
import type { EventBody, Scan } from "../core/events.ts";
import { LINKTYPE } from "../sources/packets/link.ts";
import { RecordingWriter } from "../sources/packets/pcap.ts";
import { framesOf } from "../sources/packets/recording.ts";
import { type Craft, craft } from "./craft.ts";
import type { Ordinary } from "./listeners.ts";
import { replay } from "./replay.ts";
import { type Sentry, startSentry } from "./sentry.ts";
import type { Frame } from "./types.ts";

const STRANGER = "198.51.100.7" as Address;
// Whatever address this machine has: the sentry guards that one.
const OURS = Object.values(networkInterfaces())
  .flatMap((entries) => entries ?? [])
  .map(({ address }) => parseAddress(address))
  .find((address) => address?.includes(".")) as Address;

type Stage = {
  sentry: Sentry;
  events: EventBody[];
  ordinary: Ordinary[];
  send(wanted: Partial<Craft>): void;
  nowMs: number;
};

function stage(t: TestContext, options: Partial<Parameters<typeof startSentry>[0]> = {}): Stage {
  let onPacket: (frame: Frame) => void = () => {};
  const events: EventBody[] = [];
  const ordinary: Ordinary[] = [];
  const made = { nowMs: 1_000_000, events, ordinary } as Stage;
  made.sentry = startSentry(
    {
      openCapture: (wanted) => {
        onPacket = wanted.onPacket;
        return {
          setOrdinary: (next) => ordinary.push(next),
          stats: () => ({ received: 0, dropped: 0 }),
          nameOf: (index) => `eth${index}`,
          describe: () => "eth0",
          close: () => {},
        };
      },
      clock: { now: () => new Date(made.nowMs), monotonicMs: () => made.nowMs },
      ...options,
    },
    (body) => {
      events.push(body);
      return { ...body, v: 1, id: "", host: "", at: "" };
    },
  );
  t.after(() => made.sentry.close());
  made.send = (wanted) => onPacket(craft({ source: STRANGER, target: OURS, atMs: made.nowMs, ...wanted }));
  return made;
}

/** Ports that nothing on this machine uses, most probably, and that are not its own connections' either. */
const CLOSED = [3, 5, 6, 12, 14, 16];

test("tells a scan as an event, and describes what it watches", (t) => {
  const s = stage(t);
  for (const port of CLOSED) s.send({ port });
  assert.deepEqual(
    s.events.map((event) => event.type),
    ["scan.detected"],
  );
  assert.match(s.sentry.describe(), /^eth0: \d+ TCP and \d+ UDP ports in use, all others watched$/);
  assert.equal(s.sentry.counters.probes, CLOSED.length);
});

test("a blocked source that goes on at full speed is left to the kernel's filter until its block ends", async (t) => {
  const s = stage(t);
  for (const port of CLOSED) s.send({ port });
  s.sentry.blocked(STRANGER);
  const endMs = performance.now() + 20_000;
  while ((s.ordinary.at(-1)?.muted.length ?? 0) === 0) {
    assert.ok(performance.now() < endMs, "the filter never heard of the source");
    s.nowMs += 250;
    for (let i = 0; i < 2_000; i++) s.send({ port: 3 });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(s.ordinary.at(-1)!.muted.length, 1);
  s.sentry.release(STRANGER, "expired");
  assert.deepEqual(s.ordinary.at(-1)!.muted, []);
});

test("a flood of a blocked source is left to the kernel's filter after a thousand packets, not at the next look", (t) => {
  const s = stage(t);
  for (const port of CLOSED) s.send({ port });
  s.sentry.blocked(STRANGER);
  const mutedAfter = (packets: number): number => {
    for (let i = 0; i < packets; i++) s.send({ port: 3, atMs: (s.nowMs += 0.01) });
    return s.ordinary.at(-1)!.muted.length;
  };
  assert.equal(mutedAfter(900), 0);
  assert.equal(mutedAfter(200), 1);
});

test("tells the kernel's filter which ports are in use, and only when that changes", async (t) => {
  const s = stage(t);
  assert.equal(s.ordinary.length, 1);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const isIn = (one: Ordinary): boolean => one.open.tcp4.some(([a, b]) => port >= a && port <= b);
  // The picture is older than it may be: the next question renews it, and the filter hears of the port soon after.
  s.nowMs += 6_000;
  s.send({ port });
  const endMs = performance.now() + 10_000;
  while (!s.ordinary.some(isIn)) {
    assert.ok(performance.now() < endMs, "the filter never heard of the port");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(s.events.length, 0);
});

test("a storm of forged scanners is told in part, and the rest as a number", (t) => {
  const s = stage(t);
  for (let i = 0; i < 1_000; i++) {
    const source = `11.0.${i >> 8}.${i & 255}` as Address;
    for (const port of CLOSED.slice(0, 4)) s.send({ source, port });
  }
  const scans = () => s.events.filter(({ type }) => type === "scan.detected").length;
  assert.equal(scans(), 256);
  s.nowMs += 10_000;
  s.send({ source: "11.0.3.200" as Address, port: CLOSED[4]! });
  assert.equal(scans(), 257, "whoever goes on is told when there is time");
  s.sentry.close();
  const withheld = s.events.find((event) => event.type === "scans.withheld");
  assert.equal(withheld?.type === "scans.withheld" ? withheld.count : 0, 1_000 - 256);
});

test("sources that gave way are told with their number", (t) => {
  const s = stage(t, { maxStateBytes: 1 << 16 });
  assert.equal(s.sentry.isFlooded, false);
  for (let i = 0; i < 5_000; i++) s.send({ source: `11.0.${i >> 8}.${i & 255}` as Address, port: 3 });
  assert.equal(s.sentry.isFlooded, true);
  s.sentry.close();
  assert.equal(s.sentry.isFlooded, false, "all of it was told");
  const evicted = s.events.find((event) => event.type === "sources.evicted");
  assert.ok(evicted?.type === "sources.evicted" && evicted.count > 4_000);
});

test("a lifted block is heard of by address or prefix; nonsense is not", (t) => {
  const s = stage(t);
  for (const port of CLOSED.slice(0, 4)) s.send({ port });
  s.sentry.release("nonsense", "expired");
  s.send({ port: CLOSED[4]! });
  assert.equal(s.events.length, 1);
  s.sentry.release(STRANGER, "expired");
  s.send({ port: CLOSED[4]! });
  assert.equal(s.events.length, 2);
  s.sentry.release(`${STRANGER}/32`, "pardoned");
  for (const port of CLOSED.slice(0, 3)) s.send({ port });
  assert.equal(s.events.length, 2);
});

test("a finding comes with its packets, from the IP header on, when somebody wants them", (t) => {
  const kept: [string, string[]][] = [];
  const s = stage(t, {
    onEvidence: (scan, packets) => {
      kept.push([scan.source, packets.map(({ bytes }) => Buffer.from(bytes).toString("hex"))]);
    },
  });
  const expected: string[] = [];
  for (const port of CLOSED.slice(0, 4)) {
    s.send({ source: "198.51.100.8" as Address, port });
    if (port === CLOSED[1]) s.send({ port: 9_999 });
    const { bytes } = craft({ source: "198.51.100.8" as Address, target: OURS, port });
    expected.push(Buffer.from(bytes).toString("hex"));
  }
  assert.deepEqual(kept, [["198.51.100.8", expected]]);
  for (let port = 20_000; kept.length < 2 && port < 20_400; port++)
    s.send({ source: "198.51.100.8" as Address, port });
  assert.deepEqual(
    kept[1],
    ["198.51.100.8", []],
    "told again at a hundred ports, without what was given already",
  );
});

test("the packets of a finding, written down, are the same finding when they are replayed", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "tt-evidence-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "evidence.pcap");
  const s = stage(t, {
    onEvidence: (_, packets) => {
      using writer = new RecordingWriter(path, LINKTYPE.raw);
      for (const { atMs, bytes, wireLength } of packets) writer.write(atMs, bytes, wireLength);
    },
  });
  for (const port of CLOSED.slice(0, 4)) s.send({ port });
  const scans: Scan[] = [];
  replay({ open: () => framesOf(path), home: [OURS], onScan: (scan) => scans.push(scan) });
  const [told] = s.events;
  assert.ok(told?.type === "scan.detected");
  const brief = ({ source, shape, probes }: Scan) => [
    source,
    shape,
    probes.map(({ port, kind }) => [port, kind]),
  ];
  assert.deepEqual(scans.map(brief), [brief(told.scan)]);
});

test("what one sentry saved the next one knows", (t) => {
  const before = stage(t);
  for (const port of CLOSED.slice(0, 3)) before.send({ port });
  const after = stage(t, { saved: before.sentry.save() });
  after.send({ port: CLOSED[3]! });
  assert.equal(after.events.length, 1);
});
