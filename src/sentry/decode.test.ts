import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseAddress } from "../core/address.ts";
import { classify, nameFlags } from "./classify.ts";
import { craft } from "./craft.ts";
import { decode, emptyPacket, REFUSALS } from "./decode.ts";
import { addressOfWords } from "./local.ts";
import { type Frame, KIND, KINDS, type Packet } from "./types.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 2_000);

function frameOf(bytes: Uint8Array, etherType: number, wireLength = bytes.length): Frame {
  return {
    bytes,
    start: 0,
    end: bytes.length,
    wireLength,
    etherType,
    interfaceIndex: 1,
    direction: 0,
    atMs: 0,
  };
}

function read(frame: Frame): { refusal: string; packet: Packet } {
  const packet = emptyPacket();
  return { refusal: REFUSALS[decode(frame, packet)]!, packet };
}

/** Bytes of hexadecimal text with blanks. */
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ""), "hex"));

const TCP = "9c40 0016 00000001 00000000 5002 0400 0000 0000"; // 40000 → 22, SYN
const V4_ENDS = "c6336407 c0000201"; // 198.51.100.7 → 192.0.2.1
const V6_ENDS = "20010db8000000000000000000000007 20010db8000000000000000000000001";

test("reads addresses, ports and flags of both families", () => {
  for (const [source, target] of [
    ["198.51.100.7", "192.0.2.1"],
    ["2001:db8::7", "2001:db8::1"],
  ] as const) {
    for (const protocol of [6, 17, 132]) {
      const { refusal, packet } = read(
        craft({
          source: parseAddress(source)!,
          target: parseAddress(target)!,
          protocol,
          sourcePort: 1234,
          port: 54_321,
          hops: 7,
        }),
      );
      assert.equal(refusal, "");
      assert.equal(
        addressOfWords(packet.family, packet.source0, packet.source1, packet.source2, packet.source3),
        source,
      );
      assert.equal(
        addressOfWords(packet.family, packet.target0, packet.target1, packet.target2, packet.target3),
        target,
      );
      assert.deepEqual([packet.sourcePort, packet.targetPort, packet.hops], [1234, 54_321, 7]);
    }
  }
});

test("headers that lie are refused by name, headers that are odd are read", () => {
  const cases: [what: string, bytes: string, etherType: number, refusal: string, port?: number][] = [
    ["plain", `4500 0028 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "", 22],
    ["options", `4600 002c 0001 0000 40 06 0000 ${V4_ENDS} 01010100 ${TCP}`, 0x0800, "", 22],
    ["Ethernet padding", `4500 0028 0001 0000 40 06 0000 ${V4_ENDS} ${TCP} 000000000000`, 0x0800, "", 22],
    ["header of 16 bytes", `4400 0028 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "bad header"],
    ["version 5", `5500 0028 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "bad header"],
    ["longer than the wire", `4500 0029 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "bad length"],
    ["shorter than its header", `4500 0010 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "bad length"],
    ["no room for TCP", `4500 0020 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "bad length"],
    ["tiny first fragment", `4500 001c 0001 2000 40 06 0000 ${V4_ENDS} 9c40001600000001`, 0x0800, "", 22],
    ["later fragment", `4500 0028 0001 2001 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "later fragment"],
    ["first fragment with its header", `4500 0028 0001 2000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "", 22],
    ["half an IPv4 header", "4500 0028 0001 0000", 0x0800, "truncated"],
    ["IPv6", `60000000 0014 06 40 ${V6_ENDS} ${TCP}`, 0x86dd, "", 22],
    ["8-byte extension", `60000000 001c 3c 40 ${V6_ENDS} 0600010400000000 ${TCP}`, 0x86dd, "", 22],
    ["16-byte hop-by-hop", `60000000 0024 00 40 ${V6_ENDS} 0601 ${"00".repeat(14)} ${TCP}`, 0x86dd, "", 22],
    ["atomic fragment", `60000000 001c 2c 40 ${V6_ENDS} 0600000000000001 ${TCP}`, 0x86dd, "", 22],
    ["later fragment", `60000000 001c 2c 40 ${V6_ENDS} 0600000800000001 ${TCP}`, 0x86dd, "later fragment"],
    [
      "tiny fragment behind options",
      `60000000 0018 2c 40 ${V6_ENDS} 3c00000100000001 0600010400000000 9c400016 00000001`,
      0x86dd,
      "",
      22,
    ],
    [
      "authentication header",
      `60000000 002c 33 40 ${V6_ENDS} 0604 ${"00".repeat(22)} ${TCP}`,
      0x86dd,
      "",
      22,
    ],
    [
      "extension beyond the end",
      `60000000 001c 3c 40 ${V6_ENDS} 06ff010400000000 ${TCP}`,
      0x86dd,
      "bad length",
    ],
    [
      "extensions without end",
      `60000000 0080 3c 40 ${V6_ENDS} ${"3c00010400000000".repeat(16)}`,
      0x86dd,
      "too many headers",
    ],
    ["payload longer than the wire", `60000000 0015 06 40 ${V6_ENDS} ${TCP}`, 0x86dd, "bad length"],
    ["VLAN tag", `0007 0800 4500 0028 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x8100, "", 22],
    ["two tags", `0005 8100 0007 0800 4500 0028 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x88a8, "", 22],
    ["tag under an IPv4 name", `0007 0800 4500 0028 0001 0000 40 06 0000 ${V4_ENDS} ${TCP}`, 0x0800, "", 22],
    ["tags without end", "0005 8100 0005 8100 0005 8100 0005 8100", 0x8100, "too many headers"],
    ["ARP", "0001 0800 0604 0001", 0x0806, "not ip"],
    ["nothing at all", "", 0x0800, "truncated"],
  ];
  for (const [what, bytes, etherType, refusal, port] of cases) {
    const found = read(frameOf(hex(bytes), etherType));
    assert.equal(found.refusal, refusal, what);
    if (port !== undefined) {
      assert.equal(found.packet.targetPort, port, what);
      assert.equal(found.packet.tiny, what.startsWith("tiny"), what);
    }
  }
});

test("never reads beyond the frame and never throws, whatever the bytes", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806),
      fc.constantFrom(-1, 0x45, 0x4f, 0x60),
      fc.constantFrom(-1, 0, 6, 17, 43, 44, 51, 60, 132),
      fc.nat(100),
      (bytes, etherType, first, next, more) => {
        if (first >= 0 && bytes.length > 0) bytes[0] = first;
        if (next >= 0 && bytes.length > 9) bytes[9] = bytes[6] = next;
        // Behind the frame's end stands what no decoder may look at.
        const wide = new Uint8Array(bytes.length + 64).fill(0xaa);
        wide.set(bytes);
        const other = new Uint8Array(bytes.length + 64).fill(0x55);
        other.set(bytes);
        const wireLength = bytes.length + more;
        const one = read({ ...frameOf(wide, etherType, wireLength), end: bytes.length });
        const two = read({ ...frameOf(other, etherType, wireLength), end: bytes.length });
        assert.deepEqual(one, two);
        classify(one.packet);
      },
    ),
    { numRuns: RUNS },
  );
});

test("each combination of TCP flags has one kind", () => {
  const kinds = new Map<number, string>();
  for (let flags = 0; flags < 64; flags++) {
    const packet: Packet = { ...emptyPacket(), protocol: 6, flags };
    kinds.set(flags, KINDS[classify(packet)]!);
  }
  assert.equal(kinds.get(2), "syn");
  assert.equal(kinds.get(0), "null");
  assert.equal(kinds.get(1), "fin");
  assert.equal(kinds.get(0x29), "xmas");
  assert.equal(kinds.get(0x11), "maimon");
  assert.equal(kinds.get(0x10), "ack");
  assert.equal(kinds.get(0x18), "ack");
  assert.equal(kinds.get(0x12), "");
  assert.equal(kinds.get(4), "");
  assert.equal(kinds.get(0x14), "");
  for (const flags of [3, 6, 7, 8, 9, 0x20, 0x28, 0x13, 0x16, 0x0a, 0x22, 0x3f])
    assert.equal(kinds.get(flags), "flags", nameFlags(flags));
  // ECE and CWR are negotiated on honest SYNs (RFC 3168).
  assert.equal(classify({ ...emptyPacket(), protocol: 6, flags: 0xc2 }), KIND.syn);
});
