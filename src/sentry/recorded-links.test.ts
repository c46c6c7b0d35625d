// The same scan in recordings of every kind of link, as pcap and as pcapng. The files are made here byte by byte, so that
// links are covered too that the kernel at hand has no devices for. Formats: draft-ietf-opsawg-pcap,
// draft-ietf-opsawg-pcapng; link headers as tcpdump.org's registry describes them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import type { Address } from "../core/address.ts";
import type { Scan } from "../core/events.ts";
import { framesOf } from "../sources/packets/recording.ts";
import { craft } from "./craft.ts";
import { replay } from "./replay.ts";

const HOST = { 4: "192.0.2.1", 6: "2001:db8::1" } as Record<4 | 6, Address>;
const STRANGER = { 4: "203.0.113.9", 6: "2001:db8:9::9" } as Record<4 | 6, Address>;
const PORTS = [21, 22, 23, 25];
const MACS = "020000000001" + "020000000002";
const TYPE = { 4: "0800", 6: "86dd" };

type Header = (family: 4 | 6) => string;
const ethernet =
  (tags = ""): Header =>
  (family) =>
    MACS + tags + TYPE[family];
const cooked: Header = (family) => `0000000100060200000000020000${TYPE[family]}`;
const cooked2: Header = (family) => `${TYPE[family]}000000000003000100060200000000020000`;
/** As BSD writes them: the number of the family in its own byte order, or in the network's. */
const family =
  (number6: string, number4: string): Header =>
  (of) =>
    of === 4 ? number4 : number6;
const none: Header = () => "";

const LINKS: [name: string, linkType: number, header: Header, families: readonly (4 | 6)[]][] = [
  ["Ethernet", 1, ethernet(), [4, 6]],
  ["Ethernet with a VLAN tag", 1, ethernet("81000007"), [4, 6]],
  ["Ethernet with a priority tag", 1, ethernet("8100a000"), [4, 6]],
  ["Ethernet with a service tag", 1, ethernet("88a80007"), [4, 6]],
  ["Ethernet, QinQ", 1, ethernet("88a8000581000007"), [4, 6]],
  ["Ethernet, QinQ of older switches", 1, ethernet("8100000581000007"), [4, 6]],
  ["tcpdump -i any", 113, cooked, [4, 6]],
  ["tcpdump -i any, newer", 276, cooked2, [4, 6]],
  ["a VLAN tag on any", 113, (of) => `000000010006020000000002000081000007${TYPE[of]}`, [4, 6]],
  ["a tunnel without link header", 101, none, [4, 6]],
  ["IPv4 alone", 228, none, [4]],
  ["IPv6 alone", 229, none, [6]],
  ["BSD's loopback", 0, family("1e000000", "02000000"), [4, 6]],
  ["OpenBSD's loopback", 108, family("00000018", "00000002"), [4, 6]],
];

function packetsOf(header: Header, of: 4 | 6): Buffer[] {
  return PORTS.map((port) => {
    const { bytes } = craft({ source: STRANGER[of], target: HOST[of], port, sequence: 7 });
    return Buffer.concat([Buffer.from(header(of), "hex"), bytes]);
  });
}

function pcap(linkType: number, packets: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2_c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(linkType, 20);
  const records = packets.map((bytes, i) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_700_000_000 + i, 0);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(bytes.length, 12);
    return Buffer.concat([record, bytes]);
  });
  return Buffer.concat([head, ...records]);
}

function block(type: number, body: Buffer): Buffer {
  const padded = Buffer.concat([body, Buffer.alloc(-body.length & 3)]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(12 + padded.length);
  const kind = Buffer.alloc(4);
  kind.writeUInt32LE(type);
  return Buffer.concat([kind, length, padded, length]);
}

/** One interface for each link; its packets name it. */
function pcapng(links: readonly (readonly [linkType: number, packets: readonly Buffer[]])[]): Buffer {
  const section = Buffer.from("4d3c2b1a" + "01000000" + "ffffffffffffffff", "hex");
  const interfaces = links.map(([linkType]) => {
    const body = Buffer.alloc(8);
    body.writeUInt16LE(linkType, 0);
    return block(1, body);
  });
  const packets = links.flatMap(([, of], index) =>
    of.map((bytes, i) => {
      const body = Buffer.alloc(20);
      const us = (1_700_000_000n + BigInt(index * PORTS.length + i)) * 1_000_000n;
      body.writeUInt32LE(index, 0);
      body.writeUInt32LE(Number(us >> 32n), 4);
      body.writeUInt32LE(Number(us & 0xffff_ffffn), 8);
      body.writeUInt32LE(bytes.length, 12);
      body.writeUInt32LE(bytes.length, 16);
      return block(6, Buffer.concat([body, bytes]));
    }),
  );
  return Buffer.concat([block(0x0a0d_0d0a, section), ...interfaces, ...packets]);
}

function scansOf(recording: Buffer): Scan[] {
  const dir = mkdtempSync(join(tmpdir(), "telltale-links-"));
  try {
    const path = join(dir, "recording");
    writeFileSync(path, recording);
    const found: Scan[] = [];
    replay({
      open: () => framesOf(path),
      home: [HOST[4], HOST[6]],
      onScan: (scan) => void found.push(scan),
    });
    return found;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const brief = (scans: readonly Scan[]): unknown =>
  scans.map(({ source, probes }) => [source, probes.map(({ port }) => port)]);

for (const [name, linkType, header, families] of LINKS) {
  test(`a scan is found in a recording of ${name}, as pcap and as pcapng`, () => {
    for (const of of families) {
      const packets = packetsOf(header, of);
      const expected = [[STRANGER[of], PORTS]];
      assert.deepEqual(brief(scansOf(pcap(linkType, packets))), expected, `pcap, IPv${of}`);
      assert.deepEqual(brief(scansOf(pcapng([[linkType, packets]]))), expected, `pcapng, IPv${of}`);
    }
  });
}

test("a scan that one recording heard in parts on all kinds of links is one scan", () => {
  const links = LINKS.filter(([, , , families]) => families.includes(4)).slice(0, PORTS.length);
  const parts = links.map(([, linkType, header], i) => [linkType, [packetsOf(header, 4)[i]!]] as const);
  assert.deepEqual(brief(scansOf(pcapng(parts))), [[STRANGER[4], PORTS]]);
});
