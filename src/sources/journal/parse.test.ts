import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ExportParser, type JournalEntry } from "./parse.ts";

const RUNS = { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) };

function counted(name: string, value: Uint8Array): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, value, Buffer.from("\n")]);
}

function messages(entries: readonly JournalEntry[]): [string, string, number][] {
  return entries.map(({ cursor, fields }) => {
    const message = fields.get("MESSAGE");
    return [cursor, Buffer.from(message?.bytes ?? []).toString("latin1"), message?.length ?? -1];
  });
}

test("reads text fields, counted fields, and leaves out those nobody asked for", () => {
  const stream = Buffer.concat([
    Buffer.from("__CURSOR=a\n_HOSTNAME=h\nOTHER=x=y\nMESSAGE=one=1\n\n__CURSOR=b\n"),
    counted("OTHER", Buffer.from("\n\n__CURSOR=no\n")),
    counted("MESSAGE", Buffer.from("two\nlines")),
    Buffer.from("\n"),
  ]);
  const entries = new ExportParser(100).push(stream);
  assert.deepEqual(messages(entries), [
    ["a", "one=1", 5],
    ["b", "two\nlines", 9],
  ]);
  assert.deepEqual([...entries[0]!.fields.keys()], ["_HOSTNAME", "MESSAGE"]);
});

test("keeps only the beginning of a value, and knows how long it was", () => {
  const parser = new ExportParser(10);
  parser.push(Buffer.from(`__CURSOR=a\nMESSAGE=${"x".repeat(1_000)}`));
  for (let i = 0; i < 100; i++) parser.push(Buffer.alloc(10_000, 0x79));
  assert.deepEqual(messages(parser.push(Buffer.from("\n\n"))), [["a", "x".repeat(10), 1_001_000]]);
});

test("an empty value, counted or not, is a value", () => {
  const entries = new ExportParser(10).push(
    Buffer.concat([
      Buffer.from("__CURSOR=a\nMESSAGE=\n\n__CURSOR=b\n"),
      counted("MESSAGE", Buffer.alloc(0)),
      Buffer.from("\n"),
    ]),
  );
  assert.deepEqual(messages(entries), [
    ["a", "", 0],
    ["b", "", 0],
  ]);
});

test("cut into any pieces, the stream gives the same entries", () => {
  const value = fc.uint8Array({ maxLength: 40 });
  const property = fc.property(
    fc.array(fc.record({ value, text: fc.boolean() }), { maxLength: 6 }),
    fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
    (entries, sizes) => {
      const stream = Buffer.concat(
        entries.flatMap((entry, index) => [
          Buffer.from(`__CURSOR=${index}\n`),
          entry.text
            ? Buffer.concat([
                Buffer.from("MESSAGE="),
                Buffer.from(entry.value.map((byte) => byte | 0x20)),
                Buffer.from("\n"),
              ])
            : counted("MESSAGE", entry.value),
          Buffer.from("\n"),
        ]),
      );
      const parser = new ExportParser(64);
      const got: JournalEntry[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length]!;
        got.push(...parser.push(stream.subarray(at, at + size)));
        at += size;
      }
      const want = entries.map(({ text, value: bytes }, index) => {
        const kept = text ? bytes.map((byte) => byte | 0x20) : bytes;
        return [String(index), Buffer.from(kept).toString("latin1"), kept.length];
      });
      assert.deepEqual(messages(got), want);
    },
  );
  fc.assert(property, RUNS);
});

test("a stream of anything at all neither throws nor grows", () => {
  const parser = new ExportParser(64);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const entry of parser.push(bytes)) assert.ok(entry.fields.size <= 8);
    }),
    RUNS,
  );
});
