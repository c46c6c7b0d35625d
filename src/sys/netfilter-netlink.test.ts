// Attributes of netlink messages, as they are written and as they are found again, also in bytes that nobody wrote.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { attribute, attributeOf, attributes, joined, nested } from "./netfilter-netlink.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 300);
const HEADER = new Uint8Array(4);

test("one attribute is found as all of them are", () => {
  const wanted = fc.uniqueArray(
    fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 9 })),
    {
      selector: ([type]) => type,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(wanted, fc.boolean(), (given, isNested) => {
      const write = isNested ? nested : attribute;
      const message = joined(HEADER, ...given.map(([type, value]) => write(type, value)));
      for (const [type, value] of given) {
        assert.deepEqual(attributeOf(message, type), value);
        assert.deepEqual(attributes(message).get(type), value);
      }
      const absent = [...Array(given.length + 1).keys()].find(
        (type) => !given.some(([one]) => one === type),
      )!;
      assert.equal(attributeOf(message, absent), null);
    }),
    { numRuns: RUNS },
  );
});

test("broken bytes give nothing that is not there", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 0, max: 12 }), (bytes, type) => {
      const found = attributeOf(bytes, type);
      assert.equal(found === null, !attributes(bytes).has(type));
      assert.ok(found === null || found.length <= bytes.length);
    }),
    { numRuns: RUNS },
  );
});
