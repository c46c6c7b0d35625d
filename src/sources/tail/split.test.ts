import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type SplitOptions, splitLines } from "./split.ts";

const RUNS = { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 300) };
const OPTIONS: SplitOptions = { maxLineBytes: 10, maxLines: 1_000, final: false };

function texts(lines: readonly Uint8Array[]): string[] {
  return lines.map((line) => Buffer.from(line).toString("latin1"));
}

function split(text: string, options: Partial<SplitOptions> = {}, cut = false) {
  const result = splitLines(Buffer.from(text, "latin1"), { cut }, { ...OPTIONS, ...options });
  return { ...result, lines: texts(result.lines) };
}

test("keeps a last line without newline for later", () => {
  assert.deepEqual(split("a\n\nbc"), { lines: ["a", ""], consumed: 3, cut: false, cutLines: 0, nulBytes: 0 });
});

test("hands a last line out when nothing more will come", () => {
  assert.deepEqual(split("a\nbc", { final: true }).lines, ["a", "bc"]);
});

test("cuts an over-long line once and skips its rest, across chunks", () => {
  const first = split(`ok\n${"x".repeat(25)}`);
  assert.deepEqual(first, {
    lines: ["ok", "x".repeat(10)],
    consumed: 28,
    cut: true,
    cutLines: 1,
    nulBytes: 0,
  });
  assert.deepEqual(split("xxxx", {}, true), { lines: [], consumed: 4, cut: true, cutLines: 0, nulBytes: 0 });
  assert.deepEqual(split("xx\nnext\n", {}, true).lines, ["next"]);
  assert.deepEqual(split(`${"y".repeat(11)}\nz\n`), {
    lines: ["y".repeat(10), "z"],
    consumed: 14,
    cut: false,
    cutLines: 1,
    nulBytes: 0,
  });
});

test("leaves out a hole of NULs before a line, not NULs inside it", () => {
  assert.deepEqual(split("\0\0\0a\0b\n"), {
    lines: ["a\0b"],
    consumed: 7,
    cut: false,
    cutLines: 0,
    nulBytes: 3,
  });
  assert.deepEqual(split("\0\0\0\0"), { lines: [], consumed: 4, cut: false, cutLines: 0, nulBytes: 4 });
});

test("stops at the number of lines asked for", () => {
  assert.deepEqual(split("a\nb\nc\n", { maxLines: 2 }), {
    lines: ["a", "b"],
    consumed: 4,
    cut: false,
    cutLines: 0,
    nulBytes: 0,
  });
});

test("any text in any chunks gives its lines, each once, in order", () => {
  const line = fc.string({ maxLength: 30, unit: fc.constantFrom("a", "b", " ", "\xff") });
  const property = fc.property(fc.array(line), fc.array(fc.integer({ min: 31, max: 60 })), (lines, sizes) => {
    const whole = Buffer.from(lines.map((text) => `${text}\n`).join(""), "latin1");
    const got: string[] = [];
    let at = 0;
    let cut = false;
    // As a reader does: read from the place after what was consumed, a little more each time.
    for (let turn = 0; at < whole.length; turn++) {
      const size = sizes.length === 0 ? 64 : sizes[turn % sizes.length]!;
      const result = splitLines(whole.subarray(at, at + size), { cut }, { ...OPTIONS, maxLines: 3 });
      assert.ok(result.consumed > 0, "progress");
      got.push(...texts(result.lines));
      at += result.consumed;
      cut = result.cut;
    }
    assert.deepEqual(
      got,
      lines.map((text) => text.slice(0, 10)),
    );
  });
  fc.assert(property, RUNS);
});
