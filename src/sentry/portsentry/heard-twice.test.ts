import assert from "node:assert/strict";
import test from "node:test";
import { decode, emptyPacket } from "../decode.ts";
import type { Frame } from "../types.ts";
import { HeardTwice } from "./heard-twice.ts";

/** A SYN with this IP identification. */
function syn(id: number, interfaceIndex: number, atMs: number): Frame {
  const bytes = Buffer.alloc(40);
  bytes.set([0x45, 0, 0, 40, id >>> 8, id & 0xff, 0, 0, 64, 6]);
  bytes.set([192, 0, 2, 7, 198, 51, 100, 1], 12);
  bytes.set([0x9c, 0x40, 0, 23, 0, 0, 0, id & 0xff], 20);
  bytes.set([0x50, 2], 32);
  const end = bytes.length;
  return { bytes, start: 0, end, wireLength: end, etherType: 0x0800, interfaceIndex, direction: 0, atMs };
}

const [CARD, BRIDGE] = [2, 7];

test("a packet that two interfaces hear is one, also among many others; one that is sent again is another", () => {
  const twice = new HeardTwice();
  const packet = emptyPacket();
  const has = (frame: Frame): boolean => {
    assert.equal(decode(frame, packet), 0);
    return twice.has(frame, packet);
  };
  for (let id = 0; id < 30; id++) assert.equal(has(syn(id, CARD, 1_000)), false);
  for (let id = 0; id < 30; id++) assert.equal(has(syn(id, BRIDGE, 1_000.1)), true, `${id} on the bridge`);
  assert.equal(has(syn(3, CARD, 1_000.2)), false, "the same interface again: sent twice");
  assert.equal(has(syn(4, BRIDGE, 1_050)), false, "much later");
});
