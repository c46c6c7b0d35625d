// The real tools are asked in live.test.ts; here stand those that cannot be run, and those that must not be named.
import assert from "node:assert/strict";
import test from "node:test";
import type { Address } from "../core/address.ts";
import { type Craft, craft } from "./craft.ts";
import { decode, emptyPacket } from "./decode.ts";
import { commonHint, HINTS, hintOf } from "./hints.ts";
import { PROTOCOL } from "./types.ts";

const FROM = { source: "198.51.100.7" as Address, target: "192.0.2.1" as Address };
const TARGET = 0xc000_0201;

function hint(wanted: Partial<Craft>): string {
  const packet = emptyPacket();
  const frame = craft({ ...FROM, port: 23, window: 29_200, ...wanted });
  assert.equal(decode(frame, packet), 0);
  return HINTS[hintOf(frame, packet)]!;
}

test("Mirai writes the target's address into the sequence number", () => {
  assert.equal(hint({ sequence: TARGET }), "Mirai");
  assert.equal(hint({ sequence: TARGET, flags: 0x10 }), "");
  assert.equal(hint({ sequence: TARGET + 1 }), "");
});

test("masscan's cookie and zmap's constant name them, each only with the rest of its habits", () => {
  const cookie = (TARGET ^ 23 ^ 0x1234_5678) & 0xffff;
  assert.equal(hint({ sequence: 0x1234_5678, identification: cookie, hops: 240 }), "masscan");
  assert.equal(hint({ sequence: 0x1234_5678, identification: cookie ^ 1, hops: 240 }), "");
  assert.equal(hint({ identification: 54_321, window: 65_535 }), "zmap");
  assert.equal(hint({ identification: 54_321, window: 1_000 }), "");
  assert.equal(hint({ identification: 54_321, protocol: PROTOCOL.udp }), "zmap");
});

test("what ordinary systems send names nobody", () => {
  for (const window of [0, 5_840, 8_192, 16_384, 29_200, 64_240, 65_535]) assert.equal(hint({ window }), "");
  assert.equal(hint({ protocol: PROTOCOL.udp }), "");
  assert.equal(hint({ window: 1_024 }), "", "nmap sends an option");
  assert.equal(hint({ window: 1_024, flags: 0x10, sequence: 77 }), "", "nmap leaves the sequence number out");
});

test("a tool is named for a scan when at least half of its contacts show it", () => {
  const contacts = (...hints: number[]) => hints.map((one) => ({ hint: one }));
  assert.equal(commonHint(contacts(1, 1, 0, 0)), "nmap");
  assert.equal(commonHint(contacts(1, 0, 0, 0)), "");
  assert.equal(commonHint(contacts(2, 0, 2, 2)), "masscan");
  assert.equal(commonHint([]), "");
});
