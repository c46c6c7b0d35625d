import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Address } from "../../core/address.ts";
import { classify, isAmbiguous, isImpossible } from "../../sentry/classify.ts";
import { craft } from "../../sentry/craft.ts";
import { decode, emptyPacket } from "../../sentry/decode.ts";
import { type Frame, KIND } from "../../sentry/types.ts";
import { ANCILLARY, BpfProgram } from "./bpf.ts";
import { type FilterOptions, mergeRanges, packetFilter } from "./filter.ts";
import { NOTHING_ORDINARY, type Ordinary, type PortRange } from "./types.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 300);
const OUR4 = "192.0.2.1" as Address;
const OUR6 = "2001:db8::1" as Address;

/** The machine of linux/filter.h, as far as our programs use it. Loads beyond the packet drop it, as in the kernel. */
function run(program: Uint8Array, packet: Uint8Array, ancillary: Record<number, number>): number {
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  let a = 0;
  let x = 0;
  for (let pc = 0; ; pc++) {
    assert.ok(pc * 8 < program.length, "ran off the end");
    const code = view.getUint16(pc * 8, true);
    const jt = view.getUint8(pc * 8 + 2);
    const jf = view.getUint8(pc * 8 + 3);
    const k = view.getUint32(pc * 8 + 4, true);
    const load = (at: number, size: number): boolean => {
      if (at in ancillary) a = ancillary[at]!;
      else {
        if (at + size > packet.length) return false;
        a = 0;
        for (let i = 0; i < size; i++) a = a * 256 + packet[at + i]!;
      }
      return true;
    };
    let ok = true;
    switch (code) {
      case 0x06:
        return k;
      case 0x20:
        ok = load(k, 4);
        break;
      case 0x28:
        ok = load(k, 2);
        break;
      case 0x30:
        ok = load(k, 1);
        break;
      case 0x48:
        ok = load(k + x, 2);
        break;
      case 0x50:
        ok = load(k + x, 1);
        break;
      case 0xb1:
        ok = k < packet.length;
        x = ((packet[k] ?? 0) & 15) * 4;
        break;
      case 0x54:
        a = (a & k) >>> 0;
        break;
      case 0x1c:
        a = (a - x) >>> 0;
        break;
      case 0x05:
        pc += k;
        break;
      case 0x15:
        pc += a === k ? jt : jf;
        break;
      case 0x25:
        pc += a > k ? jt : jf;
        break;
      case 0x35:
        pc += a >= k ? jt : jf;
        break;
      case 0x45:
        pc += (a & k) !== 0 ? jt : jf;
        break;
      default:
        assert.fail(`opcode ${code.toString(16)}`);
    }
    if (!ok) return 0;
  }
}

function passes(options: Partial<FilterOptions>, frame: Frame, hardware = 1, chance = 1): boolean {
  const program = packetFilter({
    ordinary: NOTHING_ORDINARY,
    interfaces: null,
    loopback: false,
    ...options,
  });
  return (
    run(program, frame.bytes, {
      [ANCILLARY.protocol]: frame.etherType,
      [ANCILLARY.packetType]: frame.direction,
      [ANCILLARY.interfaceIndex]: frame.interfaceIndex,
      [ANCILLARY.hardware]: hardware,
      [ANCILLARY.random]: chance,
    }) > 0
  );
}

const port = fc.integer({ min: 0, max: 65_535 });
const ranges = fc.array(
  fc.tuple(port, fc.nat(50)).map(([first, more]): PortRange => [first, Math.min(65_535, first + more)]),
  { maxLength: 200 },
);
const pairs4 = fc.array(fc.tuple(fc.constantFrom(0xc000_0201, 0x0a00_0001), port), { maxLength: 80 });
const pairs6 = fc.array(
  fc.tuple(
    fc.constantFrom<[number, number, number, number]>([0x2001_0db8, 0, 0, 1], [0x2001_0db8, 0, 1, 1]),
    port,
  ),
  { maxLength: 80 },
);
const ordinary: fc.Arbitrary<Ordinary> = fc.record({
  open: fc.record({ tcp4: ranges, tcp6: ranges, udp4: ranges, udp6: ranges }),
  openAt: fc.record({ tcp4: pairs4, udp4: pairs4, tcp6: pairs6, udp6: pairs6 }),
  busy: fc.record({ tcp4: ranges, tcp6: ranges }),
  ephemeral: fc.constant<PortRange>([32_768, 60_999]),
  openOneIn: fc.constantFrom(1, 2, 1024),
  muted: fc.constant([]),
  addresses: fc.constantFrom(null, {
    ipv4: [0x0a00_0001, 0xc000_0201],
    ipv6: [
      [0x2001_0db8, 0, 0, 2],
      [0x2001_0db8, 0, 0, 1],
    ] as const,
  }),
});
const isIn = (list: readonly PortRange[], p: number): boolean =>
  list.some(([first, last]) => p >= first && p <= last);

test("never keeps back what the sentry would count as a probe", () => {
  const packet = emptyPacket();
  fc.assert(
    fc.property(
      ordinary,
      fc.boolean(),
      fc.constantFrom(6, 17, 132, 1, 58, 3, 99, 255),
      fc.oneof(port, fc.integer({ min: 0, max: 1024 })),
      fc.nat(255),
      (known, wide, protocol, p, flags) => {
        const target = wide ? OUR6 : OUR4;
        const source = (wide ? "2001:db8:1::1" : "198.51.100.1") as Address;
        const frame = craft({ source, target, protocol, port: p, flags });
        assert.equal(decode(frame, packet), 0);
        const kind = classify(packet);
        const name = wide ? 6 : 4;
        const isAt = (table: "tcp" | "udp"): boolean =>
          wide
            ? known.openAt[`${table}6`].some(([address, one]) => address[2] === 0 && one === p)
            : known.openAt[`${table}4`].some(([address, one]) => address === 0xc000_0201 && one === p);
        const isOpen =
          (protocol === 6 && (isIn(known.open[`tcp${name}`], p) || isAt("tcp"))) ||
          (protocol === 17 && (isIn(known.open[`udp${name}`], p) || isAt("udp")));
        const isBusy = isIn(known.busy[`tcp${name}`], p) || isIn([known.ephemeral], p);
        const counts =
          kind !== KIND.none &&
          (isImpossible(kind) || (isAmbiguous(kind) ? !isBusy : protocol === 132 || !isOpen));
        // SYN|ACK with FIN is the one oddity that the filter does not look at.
        const oddity = protocol === 6 && (flags & 0x12) === 0x12 && (flags & 4) === 0;
        if (counts && !oddity) assert.ok(passes({ ordinary: known }, frame));
        // And with all ranges inside the program, what is open is kept back.
        const fits =
          mergeRanges(known.open[`udp${name}`]).length <= 96 && known.openAt[`udp${name}`].length <= 24;
        if (isOpen && kind === KIND.udp && fits) assert.ok(!passes({ ordinary: known }, frame));
      },
    ),
    { numRuns: RUNS },
  );
});

test("keeps ordinary traffic back", () => {
  const known: Ordinary = {
    ...NOTHING_ORDINARY,
    open: { tcp4: [[80, 80]], tcp6: [[80, 80]], udp4: [[53, 53]], udp6: [[53, 53]] },
    busy: { tcp4: [[80, 80]], tcp6: [[80, 80]] },
    openOneIn: 8,
    addresses: null,
  };
  for (const [source, target] of [
    ["198.51.100.1", OUR4],
    ["2001:db8:1::1", OUR6],
  ] as [Address, Address][]) {
    const from = { source, target };
    for (const flags of [2, 0x12, 0x10, 0x18, 0x11, 4, 0x14]) {
      assert.ok(!passes({ ordinary: known }, craft({ ...from, port: 80, flags })), `flags ${flags}`);
      const isProbe = ![0x12, 4, 0x14].includes(flags);
      assert.equal(passes({ ordinary: known }, craft({ ...from, port: 81, flags })), isProbe);
    }
    assert.ok(passes({ ordinary: known }, craft({ ...from, port: 80 }), 1, 16), "one SYN in eight");
    assert.ok(!passes({ ordinary: known }, craft({ ...from, port: 40_000, flags: 0x10 })), "own connections");
    assert.ok(!passes({ ordinary: known }, craft({ ...from, port: 53, protocol: 17 })));
    assert.ok(passes({ ordinary: known }, craft({ ...from, port: 54, protocol: 17 })));
    const sent = { source: target, target: source, sent: true, protocol: 17 };
    assert.ok(passes({ ordinary: known }, craft({ ...sent, sourcePort: 50_000, port: 53 })));
    assert.ok(!passes({ ordinary: known }, craft({ ...sent, sourcePort: 53, port: 50_000 })));
    const answer = { ...sent, protocol: 6, flags: 0x12, port: 50_000 };
    assert.ok(passes({ ordinary: known }, craft({ ...answer, sourcePort: 8_080 })), "somebody behind us");
    assert.ok(!passes({ ordinary: known }, craft({ ...answer, sourcePort: 80 })));
    assert.ok(!passes({ ordinary: known }, craft({ ...answer, sourcePort: 8_080, flags: 0x10 })));
  }
});

test("a listener on one address is open there and nowhere else", () => {
  const known: Ordinary = {
    ...NOTHING_ORDINARY,
    openAt: {
      tcp4: [
        [0xc000_0201, 5_432],
        [0xc000_0203, 5_433],
      ],
      udp4: [[0xc000_0201, 53]],
      tcp6: [[[0x2001_0db8, 0, 0, 1], 5_432]],
      udp6: [[[0x2001_0db8, 0, 0, 1], 53]],
    },
    openOneIn: 8,
  };
  for (const [source, ours, other] of [
    ["198.51.100.1", "192.0.2.1", "192.0.2.2"],
    ["2001:db8:1::1", "2001:db8::1", "2001:db8::2"],
  ] as [Address, Address, Address][]) {
    const gets = (wanted: Partial<Parameters<typeof craft>[0]>): boolean =>
      passes({ ordinary: known }, craft({ source, target: ours, ...wanted }));
    assert.ok(!gets({ port: 5_432 }));
    assert.ok(gets({ port: 5_433 }));
    assert.ok(gets({ port: 5_432, target: other }));
    assert.ok(gets({ port: 5_432, flags: 0x29 }), "no stack sends that, open or not");
    assert.ok(!gets({ port: 53, protocol: 17 }));
    assert.ok(gets({ port: 53, protocol: 17, target: other }));
  }
});

test("drops what muted sources send, and nobody else's", () => {
  const known: Ordinary = {
    ...NOTHING_ORDINARY,
    muted: [
      { family: 4, words: [0xc633_6407, 0, 0, 0], bits: 32 },
      { family: 6, words: [0x2001_0db8, 0x0001_0000, 0, 0], bits: 64 },
      { family: 6, words: [0x2001_0db8, 0x0002_0000, 0, 7], bits: 128 },
    ],
  };
  const passesFrom = (source: string, target: Address): boolean =>
    passes({ ordinary: known }, craft({ source: source as Address, target, port: 22 }));
  assert.ok(!passesFrom("198.51.100.7", OUR4));
  assert.ok(passesFrom("198.51.100.8", OUR4));
  assert.ok(!passesFrom("2001:db8:1::99", OUR6));
  assert.ok(passesFrom("2001:db8:1:1::99", OUR6));
  assert.ok(!passesFrom("2001:db8:2::7", OUR6));
  assert.ok(passesFrom("2001:db8:2::8", OUR6));
});

test("drops packets that only pass through, in both families", () => {
  const known: Ordinary = {
    ...NOTHING_ORDINARY,
    addresses: { ipv4: [0xc000_0201], ipv6: [[0x2001_0db8, 0, 0, 1]] },
  };
  for (const [source, ours, others] of [
    ["198.51.100.1", "192.0.2.1", "192.0.2.2"],
    ["2001:db8:1::1", "2001:db8::1", "2001:db8::2"],
    ["2001:db8:1::1", "2001:db8::1", "2001:db9::1"],
  ] as [Address, Address, Address][]) {
    assert.ok(passes({ ordinary: known }, craft({ source, target: ours, port: 22 })));
    assert.ok(!passes({ ordinary: known }, craft({ source, target: others, port: 22 })));
  }
});

test("drops broadcast, multicast, other hosts' packets, loopback, and interfaces that were not asked for", () => {
  const probe = craft({ source: "198.51.100.1" as Address, target: OUR4, port: 22 });
  assert.ok(passes({}, probe));
  for (const direction of [1, 2, 3]) assert.ok(!passes({}, { ...probe, direction }));
  assert.ok(!passes({}, probe, 772));
  assert.ok(passes({ loopback: true }, probe, 772));
  assert.ok(passes({ interfaces: [7, 1] }, probe));
  assert.ok(!passes({ interfaces: [7] }, probe));
  assert.ok(!passes({ interfaces: [] }, probe));
  assert.ok(!passes({}, { ...probe, etherType: 0x0806 }));
});

test("the assembler reaches farther than a conditional jump can", () => {
  for (const gap of [0, 200, 254, 255, 256, 300, 2_000]) {
    for (const value of [1, 2]) {
      const p = new BpfProgram();
      p.loadByte(0);
      p.ifEqual(1, "one", "other");
      for (let i = 0; i < gap; i++) p.loadByte(0);
      p.label("other");
      p.accept(7);
      for (let i = 0; i < gap; i++) p.loadByte(0);
      p.label("one");
      p.accept(9);
      if (gap < 2_000) assert.equal(run(p.assemble(), Uint8Array.of(value), {}), value === 1 ? 9 : 7);
    }
  }
  const tooLong = new BpfProgram();
  for (let i = 0; i < 4_097; i++) tooLong.accept(0);
  assert.throws(() => tooLong.assemble(), /4097 instructions; the kernel takes 4096/);
  const backwards = new BpfProgram();
  backwards.label("here");
  backwards.jump("here");
  assert.throws(() => backwards.assemble(), /forward only/);
  const nowhere = new BpfProgram();
  nowhere.jump("nowhere");
  assert.throws(() => nowhere.assemble(), /never placed/);
});

test("merges ranges that touch or overlap", () => {
  assert.deepEqual(
    mergeRanges([
      [10, 20],
      [21, 30],
      [5, 12],
      [40, 40],
      [35, 60],
      [70, 70],
    ]),
    [
      [5, 30],
      [35, 60],
      [70, 70],
    ],
  );
});
