import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { Conversations } from "./conversations.ts";
import { emptyPacket } from "./decode.ts";
import { estimate, mark, Scanners } from "./scanners.ts";
import { BYTES_PER_SOURCE, CONTACTS, SCANNER, Suspects } from "./suspects.ts";
import { KIND, type Packet } from "./types.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 100);

function from(source: number, wanted: Partial<Packet> = {}): Packet {
  return { ...emptyPacket(), source0: source, protocol: 6, targetPort: 22, ...wanted };
}

test("remembers sources as a map would while there is room", () => {
  const step = fc.record({ source: fc.nat(40), port: fc.nat(8), target: fc.nat(2) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, seed) => {
      const suspects = new Suspects(1 << 20, seed);
      const model = new Map<number, [number, number][]>();
      for (const { source, port, target } of steps) {
        const packet = from(source, { targetPort: port });
        const known = model.get(source);
        const found = suspects.find(packet);
        assert.equal(found >= 0, known !== undefined);
        const entry = found >= 0 ? found : suspects.claim(packet);
        const kept = (known ?? []).slice(-CONTACTS);
        const isRepeat = kept.some(([p, t]) => p === port && t === target);
        assert.equal(suspects.hasContact(entry, target, port), isRepeat);
        if (isRepeat) continue;
        suspects.addContact(entry, target, KIND.syn, packet);
        model.set(source, [...(known ?? []), [port, target]]);
      }
      for (const [source, contacts] of model) {
        const entry = suspects.find(from(source));
        assert.equal(suspects.contactCount(entry), contacts.length);
        assert.deepEqual(
          suspects.contacts(entry).map(({ port, target }) => [port, target]),
          contacts.slice(-CONTACTS),
        );
      }
      assert.equal(suspects.size, model.size);
      assert.equal(suspects.evicted, 0);
    }),
    { numRuns: RUNS },
  );
});

test("in a full group the least suspect gives way, a scanner last", () => {
  const suspects = new Suspects(8 * BYTES_PER_SOURCE, 1);
  assert.equal(suspects.capacity, 8);
  for (let source = 0; source < 8; source++) {
    const entry = suspects.claim(from(source, { atMs: source }));
    suspects.setScore(entry, source === 3 ? 1 : 2);
    if (source < 2) suspects.setState(entry, SCANNER);
  }
  suspects.claim(from(100, { atMs: 100 }));
  assert.equal(suspects.find(from(3)), -1, "the lowest score");
  for (let source = 200; source < 400; source++) {
    suspects.setScore(suspects.claim(from(source, { atMs: source })), 9);
  }
  assert.ok(suspects.find(from(0)) >= 0 && suspects.find(from(1)) >= 0, "scanners stay");
  assert.equal(suspects.evictedScanners, 0);
  assert.equal(suspects.size, 8);
  for (let source = 400; source < 420; source++) {
    const entry = suspects.claim(from(source, { atMs: source }));
    suspects.setState(entry, SCANNER);
  }
  assert.equal(suspects.find(from(0)), -1, "until there are only scanners: then the one unheard for longest");
  assert.ok(suspects.evictedScanners > 0);
});

test("evidence keeps its times, kinds and flags", () => {
  const suspects = new Suspects(1 << 16, 1);
  const startMs = 1_795_378_300_858.25;
  const entry = suspects.claim(from(1, { atMs: startMs }));
  suspects.addContact(
    entry,
    65_535,
    KIND.flags,
    from(1, { atMs: startMs, targetPort: 65_535, flags: 0xff, hint: 1 }),
  );
  suspects.addContact(entry, 0, KIND.udp, from(1, { atMs: startMs + 86_400_000 * 40, protocol: 17 }));
  assert.deepEqual(suspects.contacts(entry), [
    { port: 65_535, protocol: 6, kind: KIND.flags, flags: 255, hint: 1, target: 65_535, atMs: startMs },
    { port: 22, protocol: 17, kind: KIND.udp, flags: 0, hint: 0, target: 0, atMs: startMs + 86_400_000 * 40 },
  ]);
});

test("the number of different contacts is estimated within ten percent up to ten thousand", () => {
  const scanners = new Scanners();
  const record = scanners.add(0, {
    probes: 0,
    level: 0,
    toldAtMs: 0,
    visitAtMs: 0,
    proven: false,
    shape: "vertical",
  });
  let hash = 1;
  for (let distinct = 1; distinct <= 9_000; distinct++) {
    hash = (Math.imul(hash, 1_664_525) + 1_013_904_223) >>> 0;
    mark(record, hash >>> 12);
    if (distinct === 100 || distinct === 1_000 || distinct === 4_000)
      assert.ok(Math.abs(estimate(record) - distinct) < distinct / 10, `${estimate(record)} for ${distinct}`);
  }
});

test("conversations are remembered for two minutes, and strangers' are not", () => {
  const conversations = new Conversations(42);
  const sent = (port: number, atMs: number): Packet => ({
    ...emptyPacket(),
    source0: 1,
    target0: 8,
    sourcePort: port,
    targetPort: 53,
    atMs,
  });
  const answer = (port: number, atMs: number, source0 = 8): Packet => ({
    ...emptyPacket(),
    source0,
    target0: 1,
    sourcePort: 53,
    targetPort: port,
    atMs,
  });
  for (let port = 30_000; port < 31_000; port++) conversations.remember(sent(port, 1_000_000));
  let known = 0;
  for (let port = 30_000; port < 31_000; port++) if (conversations.has(answer(port, 1_010_000))) known++;
  assert.equal(known, 1_000);
  assert.ok(!conversations.has(answer(30_000, 1_010_000, 9)));
  assert.ok(!conversations.has(answer(32_000, 1_010_000)));
  assert.ok(!conversations.has(answer(30_000, 1_121_000)));
});
