import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { frequentTemplates, maskLine } from "./match.ts";

test("masks what varies between lines of one kind", () => {
  const cases: [string, string][] = [
    [
      "Nov 22 12:00:00 web1 sshd[812]: Failed password for root from 192.0.2.7 port 4711",
      "sshd[<n>]: Failed password for root from <ip> port <n>",
    ],
    ["2026-11-22T12:00:00.123+01:00 web1 app: took 12.5 ms", "app: took <n> ms"],
    [
      '192.0.2.7 - - [22/Nov/2026:12:00:00 +0100] "GET /a/17 HTTP/1.1" 200 5',
      '<ip> - - [<time>] "GET /a/<n> HTTP/<n>" <n> <n>',
    ],
    ["peer 2001:db8::17 said 0xdeadBEEF", "peer <ip> said <hex>"],
    ["request 123e4567-e89b-12d3-a456-426614174000 failed", "request <uuid> failed"],
    ["commit 8cbdde0f12 merged", "commit <hex> merged"],
    ["decade and facade stay words", "decade and facade stay words"],
  ];
  for (const [line, want] of cases) assert.equal(maskLine(line), want);
});

test("names the kinds that take most room, most first", () => {
  const lines = [
    ...Array.from({ length: 100 }, (_, i) => `error ${i} in module ${i * 7}`),
    ...Array.from({ length: 3 }, (_, i) => `x${i}`),
    "once",
  ];
  const [first, ...rest] = frequentTemplates(lines, 2);
  assert.deepEqual([first!.text, first!.count], ["error <n> in module <n>", 100]);
  assert.equal(rest.length, 1);
});

test("stays small and quick whatever the lines are", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 600, unit: "binary" })), (lines) => {
      const found = frequentTemplates(lines, 5);
      assert.ok(found.length <= 5);
      for (const { count } of found) assert.ok(count <= lines.length);
    }),
  );
  const began = process.cpuUsage();
  const hostile = Array.from({ length: 1_000 }, (_, i) => `${"a1:".repeat(130)}${i}${"f".repeat(200)}`);
  frequentTemplates(hostile, 3);
  assert.ok(process.cpuUsage(began).user < 3_000_000, "a line made to be slow to mask");
});
