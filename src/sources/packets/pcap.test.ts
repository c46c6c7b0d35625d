import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import fc from "fast-check";
import type { Address } from "../../core/address.ts";
import { craft } from "../../sentry/craft.ts";
import { peel } from "./link.ts";
import { RecordingError, RecordingWriter, readRecording } from "./pcap.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 200);

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "tt-pcap-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

function read(path: string): { atMs: number; hex: string; wireLength: number; linkType: number }[] {
  return [...readRecording(path)].map(({ atMs, bytes, wireLength, linkType }) => ({
    atMs,
    hex: Buffer.from(bytes).toString("hex"),
    wireLength,
    linkType,
  }));
}

/** Scapy writes the dialects that tcpdump does not. */
function scapy(t: TestContext, script: string): boolean {
  const done = spawnSync("/usr/bin/python3", ["-c", `from scapy.all import *\n${script}`], {
    encoding: "utf8",
  });
  if (done.status === 0) return true;
  if (/No module named|ENOENT/.test(`${done.stderr}${done.error ?? ""}`))
    t.skip("needs scapy: apt install python3-scapy");
  else assert.fail(done.stderr);
  return false;
}

test("what is written is read again, by us and by tcpdump", (t) => {
  const path = join(scratch(t), "w.pcap");
  const frames = [1, 2, 3].map((port) =>
    craft({ source: "198.51.100.7" as Address, target: "192.0.2.1" as Address, port }),
  );
  {
    using writer = new RecordingWriter(path, 101);
    for (const [i, { bytes }] of frames.entries())
      writer.write(1_795_378_300_858.5 + i, bytes, bytes.length + i);
  }
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const found = read(path);
  assert.deepEqual(
    found.map(({ hex, wireLength, linkType }) => [hex, wireLength, linkType]),
    frames.map(({ bytes }, i) => [Buffer.from(bytes).toString("hex"), bytes.length + i, 101]),
  );
  assert.ok(Math.abs(found[0]!.atMs - 1_795_378_300_858.5) < 0.01);
  const shown = spawnSync("tcpdump", ["-nn", "-r", path], { encoding: "utf8" });
  if (shown.error !== undefined) return t.skip("needs tcpdump: apt install tcpdump");
  assert.equal(
    (shown.stdout.match(/198\.51\.100\.7\.40000 > 192\.0\.2\.1\.[123]: Flags \[S\]/g) ?? []).length,
    3,
  );
});

test("reads every dialect that scapy writes alike", (t) => {
  const dir = scratch(t);
  const made = scapy(
    t,
    `
p = [Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")/IP(dst="192.0.2.1", src="198.51.100.7")/TCP(dport=d, flags="S") for d in (1, 2, 3)]
for i, q in enumerate(p): q.time = 1795378300 + i / 4
for name, args in (("le", dict(endianness="<")), ("be", dict(endianness=">")), ("nano", dict(nano=True))):
  w = RawPcapWriter(${JSON.stringify(dir)} + "/" + name + ".pcap", linktype=1, **args)
  w.write_header(p[0])
  for q in p: w.write_packet(bytes(q), sec=int(q.time), usec=int((q.time % 1) * (1e9 if name == "nano" else 1e6)))
  w.close()
wrpcapng(${JSON.stringify(dir)} + "/ng.pcap", p)
`,
  );
  if (!made) return;
  const expected = read(join(dir, "le.pcap"));
  assert.equal(expected.length, 3);
  assert.deepEqual(
    expected.map(({ atMs }) => atMs),
    [1_795_378_300_000, 1_795_378_300_250, 1_795_378_300_500],
  );
  for (const name of ["be", "nano", "ng"]) assert.deepEqual(read(join(dir, `${name}.pcap`)), expected, name);
});

test("a recording that is damaged says where, and what came before is read", (t) => {
  const dir = scratch(t);
  const path = join(dir, "d.pcap");
  {
    using writer = new RecordingWriter(path, 101);
    for (let i = 0; i < 3; i++) writer.write(i, new Uint8Array(40), 40);
  }
  const whole = readFileSync(path);
  const cases: [string, Uint8Array, RegExp, number][] = [
    ["cut", whole.subarray(0, whole.length - 1), /at byte 152: the recording ends within a packet/, 2],
    ["empty", new Uint8Array(0), /found an empty file/, 0],
    ["three bytes", Buffer.from("abc"), /found a file too short to be one/, 0],
    ["text", Buffer.from("not a recording at all"), /wants pcap or pcapng/, 0],
    [
      "absurd",
      Uint8Array.from([...whole.subarray(0, 32), 255, 255, 255, 255, 0, 0, 0, 0]),
      /4294967295 bytes/,
      0,
    ],
  ];
  for (const [name, bytes, message, packets] of cases) {
    writeFileSync(path, bytes);
    let count = 0;
    assert.throws(
      () => {
        for (const _ of readRecording(path)) count++;
      },
      (error) => error instanceof RecordingError && message.test(error.message),
      name,
    );
    assert.equal(count, packets, name);
  }
  assert.throws(() => [...readRecording(join(dir, "none.pcap"))], /ENOENT/);
});

test("pcapng that is cut anywhere ends between two packets or in an error that says where", (t) => {
  const path = join(scratch(t), "cut.pcapng");
  const block = (type: number, body: readonly number[]): number[] => {
    const length = [12 + body.length, 0, 0, 0];
    return [type & 255, (type >>> 8) & 255, (type >>> 16) & 255, type >>> 24, ...length, ...body, ...length];
  };
  const packet = block(6, [
    ...Array<number>(12).fill(0),
    8,
    0,
    0,
    0,
    8,
    0,
    0,
    0,
    ...Array<number>(8).fill(9),
  ]);
  const section = block(0x0a0d_0d0a, [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, ...Array<number>(8).fill(255)]);
  const link = block(1, [101, 0, 0, 0, 0, 0, 4, 0]);
  const whole = Uint8Array.from([...section, ...link, ...packet, ...packet]);
  for (let length = 4; length <= whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    try {
      for (const { bytes } of readRecording(path)) assert.equal(bytes.length, 8);
    } catch (error) {
      assert.ok(error instanceof RecordingError, `${length}: ${error}`);
    }
  }
  assert.equal([...readRecording(path)].length, 2);
});

type NgLink = { readonly linkType: number; readonly resolution?: number; readonly offsetS?: bigint };

/** A pcapng file with a section of its own for each byte order asked for; a packet each per interface, in its block type. */
function pcapng(
  links: readonly NgLink[],
  blocks: readonly ("enhanced" | "old")[],
  { little = true, between = Buffer.alloc(0), atS = 1_790_000_000n } = {},
): Buffer {
  const whole = (bytes: number, value: bigint): Buffer => {
    const hex = value.toString(16).padStart(bytes * 2, "0");
    const big = Buffer.from(hex, "hex");
    return little ? big.reverse() : big;
  };
  const u16 = (value: number) => whole(2, BigInt(value));
  const u32 = (value: number) => whole(4, BigInt(value));
  const block = (type: number, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
    const length = u32(padded.length + 12);
    return Buffer.concat([u32(type), length, padded, length]);
  };
  const out = [block(0x0a0d_0d0a, u32(0x1a2b_3c4d), u16(1), u16(0), Buffer.alloc(8, 0xff))];
  for (const { linkType, resolution, offsetS } of links) {
    const options = [
      ...(resolution === undefined ? [] : [u16(9), u16(1), Buffer.from([resolution, 0, 0, 0])]),
      ...(offsetS === undefined ? [] : [u16(14), u16(8), whole(8, BigInt.asUintN(64, offsetS))]),
    ];
    out.push(block(1, u16(linkType), u16(0), u32(65_535), ...options, u16(0), u16(0)));
  }
  if (between.length > 0) out.push(block(0x0bad, between));
  for (const [index, { resolution = 6, offsetS = 0n }] of links.entries()) {
    const perSecond = resolution & 0x80 ? 2n ** BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
    const stamp = (atS - offsetS) * perSecond;
    const times = [u32(Number(stamp >> 32n)), u32(Number(stamp & 0xffff_ffffn))];
    const body = [u32(6), u32(6), Buffer.from("packet")];
    for (const kind of blocks)
      out.push(
        kind === "enhanced"
          ? block(6, u32(index), ...times, ...body)
          : block(2, u16(index), u16(7), ...times, ...body),
      );
  }
  return Buffer.concat(out);
}

test("pcapng gives each packet its interface's link, resolution and offset, whichever its byte order and block", (t) => {
  const path = join(scratch(t), "times.pcapng");
  const links: NgLink[] = [
    { linkType: 1 },
    { linkType: 101, resolution: 9 },
    { linkType: 113, resolution: 0x8a },
    { linkType: 276, resolution: 3, offsetS: 1_700_000_000n },
    { linkType: 12, offsetS: -86_400n },
  ];
  for (const little of [true, false]) {
    writeFileSync(path, pcapng(links, ["enhanced", "old"], { little }));
    assert.deepEqual(
      [...readRecording(path)].map(({ linkType, atMs, interfaceIndex, bytes }) => [
        linkType,
        Math.round(atMs),
        interfaceIndex,
        Buffer.from(bytes).toString(),
      ]),
      links.flatMap(({ linkType }, i) => {
        const expected = [linkType, 1_790_000_000_000, i, "packet"];
        return [expected, expected];
      }),
    );
  }
});

test("pcapng: a long block that is not needed is passed over; a time that no date holds and no byte order are named", (t) => {
  const path = join(scratch(t), "odd.pcapng");
  writeFileSync(path, pcapng([{ linkType: 1 }], ["enhanced"], { between: Buffer.alloc(3 << 20) }));
  assert.equal([...readRecording(path)].length, 1);
  writeFileSync(path, pcapng([{ linkType: 1, resolution: 0 }], ["enhanced"], { atS: 2n ** 60n }));
  assert.throws(() => [...readRecording(path)], /at byte \d+: a time of \d+ s since 1970/);
  const whole = pcapng([{ linkType: 1 }], ["enhanced"]);
  whole.fill(0xdd, 8, 12);
  writeFileSync(path, whole);
  assert.throws(() => [...readRecording(path)], /at byte 0: a section without the mark of its byte order/);
});

test("random bytes behind a good beginning end in packets or in a named error", (t) => {
  const path = join(scratch(t), "r.pcap");
  const beginnings = [
    "d4c3b2a1020004000000000000000000ffff000001000000",
    "a1b23c4d000200040000000000000000ffff000000000001",
    "0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c00000001000000140000000100000000000000140000000600000040000000",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 300 }), (beginning, rest) => {
      writeFileSync(path, Buffer.concat([Buffer.from(beginning, "hex"), rest]));
      try {
        for (const { bytes, linkType } of readRecording(path)) peel(bytes, linkType);
      } catch (error) {
        assert.ok(error instanceof RecordingError, String(error));
      }
    }),
    { numRuns: RUNS },
  );
});

test("takes off every link header that it knows", () => {
  const ip = "4500001400000000400600000a0000010a000002";
  const cases: [number, string, ReturnType<typeof peel>][] = [
    [1, `0200000000010200000000020800${ip}`, { start: 14, etherType: 0x0800, direction: 0 }],
    [1, `ffffffffffff0200000000020800${ip}`, { start: 14, etherType: 0x0800, direction: 1 }],
    [1, `01005e0000010200000000020800${ip}`, { start: 14, etherType: 0x0800, direction: 2 }],
    [1, `0200000000010200000000028100`, { start: 14, etherType: 0x8100, direction: 0 }],
    [101, ip, { start: 0, etherType: 0x0800, direction: 0 }],
    [12, ip, { start: 0, etherType: 0x0800, direction: 0 }],
    [14, ip, { start: 0, etherType: 0x0800, direction: 0 }],
    [9, `ff030021${ip}`, { start: 4, etherType: 0x0800, direction: 0 }],
    [9, `0057${ip}`, { start: 2, etherType: 0x86dd, direction: 0 }],
    [9, "ff03c021", { start: 4, etherType: 0, direction: 0 }],
    [9, "ff03", null],
    [0, `02000000${ip}`, { start: 4, etherType: 0x0800, direction: 0 }],
    [113, `000400010006020000000002000086dd${ip}`, { start: 16, etherType: 0x86dd, direction: 4 }],
    [276, `0800000000000002000100060200000000020000${ip}`, { start: 20, etherType: 0x0800, direction: 0 }],
    [1, "0200", null],
    [101, "", null],
    [101, "15", null],
    [999, ip, null],
  ];
  for (const [linkType, hex, expected] of cases)
    assert.deepEqual(peel(Buffer.from(hex, "hex"), linkType), expected, `${linkType} ${hex}`);
});
