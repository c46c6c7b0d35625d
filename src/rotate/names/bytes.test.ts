import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, textOf } from "./bytes.ts";

test("any bytes come back as they were, and plain text stays text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (given) => {
      const bytes = Buffer.from(given);
      assert.ok(Buffer.from(bytesOf(textOf(bytes)) as Buffer).equals(bytes));
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 500) },
  );
  for (const text of ["", "syslog", "zürich.log", "日誌.log", "\u{1f4dc}"]) {
    assert.equal(textOf(Buffer.from(text)), text);
    assert.equal(bytesOf(text), text);
  }
  assert.deepEqual(bytesOf("a\udcff.log"), Buffer.from([0x61, 0xff, 0x2e, 0x6c, 0x6f, 0x67]));
});
