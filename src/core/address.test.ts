import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import {
  addressFromBytes,
  bitsOfV4,
  bytesOfAddress,
  familyOf,
  formatPrefix,
  parsePrefix,
  prefixOf,
} from "./address.ts";

const numRuns = Number(process.env["TELLTALE_RUNS"] ?? 300);
const address = fc
  .oneof(fc.ipV4(), fc.ipV6())
  .map((text) => parsePrefix(text)?.base)
  .filter((base) => base !== undefined);

test("an address as bytes is what another library reads from its text, and comes back as the same text", () => {
  fc.assert(
    fc.property(address, (each) => {
      const bytes = bytesOfAddress(each);
      assert.deepEqual([...bytes], ipaddr.parse(each).toByteArray());
      assert.equal(addressFromBytes(bytes, 0, familyOf(each)), each);
      if (familyOf(each) === 4) assert.equal(bitsOfV4(each), new DataView(bytes.buffer).getUint32(0));
    }),
    { numRuns },
  );
});

test("a prefix holds its own text, and no bit below its length", () => {
  fc.assert(
    fc.property(address, fc.nat({ max: 128 }), (each, wanted) => {
      const bits = Math.min(wanted, familyOf(each) === 4 ? 32 : 128);
      const prefix = prefixOf(each, bits);
      assert.deepEqual(parsePrefix(formatPrefix(prefix)), prefix);
      assert.deepEqual(parsePrefix(`${each}/${bits}`), prefix);
      bytesOfAddress(prefix.base).forEach((byte, i) => {
        const kept = Math.min(8, Math.max(0, bits - 8 * i));
        assert.equal(byte & (0xff >> kept), 0);
        assert.equal(byte, bytesOfAddress(each)[i]! & (0xff00 >> kept));
      });
    }),
    { numRuns },
  );
});
