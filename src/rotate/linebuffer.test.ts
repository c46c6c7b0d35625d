import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { LineBuffer } from "./linebuffer.ts";
import { textOf } from "./names/bytes.ts";

test("what is added comes out byte for byte, however much it is, in the file as in memory", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "tt-lines-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.string({ unit: "grapheme" }).map((text) => Buffer.from(text)),
    fc.integer({ min: 0, max: 50_000 }).map((size) => Buffer.alloc(size, "ü")),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const lines = new LineBuffer();
      const path = join(dir, "file");
      const fd = openSync(path, "w");
      for (const each of pieces) lines.add(textOf(Buffer.from(each)));
      const wanted = Buffer.concat(pieces);
      assert.ok(lines.bytes.equals(wanted));
      lines.writeTo(fd);
      assert.equal(lines.bytes.length, 0);
      lines.add("end");
      lines.writeTo(fd);
      closeSync(fd);
      assert.ok(readFileSync(path).equals(Buffer.concat([wanted, Buffer.from("end")])));
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 100) },
  );
});
