import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { HOSTILE } from "./fixtures/events.ts";
import { foldLines, lineProgram, lineShape, MAX_LINE, MAX_SHAPES, shownLine } from "./fold.ts";

process.env["TZ"] = "UTC";
const AT = "2026-11-22T19:51:02.000Z";
const found = (line: string, at = AT) => ({ at, line });

test("sees past time stamps, process ids and ports, but not past addresses and words", () => {
  const shape = (line: string) => lineShape(line, false);
  const guess = "Nov 22 19:50:58 web1 sshd[812]: Failed password for root from 198.51.100.9 port 50222 ssh2";
  assert.equal(
    shape(guess),
    shape(
      "2026-11-22T19:51:07.123456+01:00 web1 sshd[1]: Failed password for root from 198.51.100.9 port 1 ssh2",
    ),
  );
  assert.notEqual(shape(guess), shape(guess.replace("198.51.100.9", "198.51.100.10")));
  assert.notEqual(shape(guess), shape(guess.replace("root", "admin")));
  assert.notEqual(shape(guess), shape(guess.replace("198.51.100.9", "2001:db8::9")));
});

test("knows an address of either family with punctuation behind it", () => {
  for (const address of ["192.0.2.7", "2001:db8::7", "::1"]) {
    assert.equal(lineShape(`x from ${address}: bye`, true), "x from ADDRESS bye");
    assert.equal(lineShape(`x from ${address}.`, true), "x from ADDRESS");
  }
});

test("reads the program from lines with either time stamp", () => {
  assert.equal(lineProgram("Nov 22 19:50:58 web1 sshd[812]: x"), "sshd");
  assert.equal(lineProgram("2026-11-22T19:51:07Z web1 postfix/smtpd[3]: x"), "postfix/smtpd");
  assert.equal(lineProgram("no tag at all"), "");
});

test("keeps apart what is named with a number, and a zero", () => {
  const pairs = [
    ["Accepted password for web01", "Accepted password for web02"],
    ["I/O error on sda1", "I/O error on sda2"],
    ["session opened for user x(uid=0)", "session opened for user x(uid=1000)"],
    ["exited, status 0", "exited, status 1"],
  ] as const;
  for (const [one, other] of pairs) assert.notEqual(lineShape(one, false), lineShape(other, false), one);
  const alike = [
    ["took 12ms", "took 7ms"],
    ["session-1234.scope: done", "session-999.scope: done"],
    ["id 3f2a9c11d0", "id 00aa9c1eff"],
    ["at 12:30:01", "at 7:01:59"],
  ] as const;
  for (const [one, other] of alike) assert.equal(lineShape(one, false), lineShape(other, false), one);
});

test("shows up to three different lines as they are", () => {
  const three = [1, 2, 3].map((pid) => found(`web1 sshd[${pid}]: bad ${pid}`));
  const { entries, abridged } = foldLines(three, 10);
  assert.deepEqual(
    entries.map((entry) => [entry.lines, entry.notes]),
    [[three.map(({ line }) => line), []]],
  );
  assert.ok(!abridged);
});

test("of more it shows the first and the last, and tells how many and when", () => {
  const lines = [10, 20, 30, 40].map((second) =>
    found(`Nov 22 19:50:${second} web1 sshd[${second}]: bad ${second}`, `2026-11-22T19:50:${second}.000Z`),
  );
  const { entries, abridged } = foldLines(lines, 10);
  assert.equal(entries.length, 1);
  assert.deepEqual(entries[0]!.lines, [lines[0]!.line, lines[3]!.line]);
  assert.deepEqual(entries[0]!.notes, ["4 lines like these, 19:50:10 to 19:50:40"]);
  assert.ok(abridged);
});

test("counts a line that repeats", () => {
  const { entries, abridged } = foldLines([found("x"), found("x"), found("x"), found("x")], 10);
  assert.deepEqual([entries[0]!.lines, entries[0]!.notes], [["x"], ["4 times this line, at 19:51:02"]]);
  assert.ok(!abridged);
});

test("folds over addresses when a botnet would fill the report", () => {
  const lines = Array.from({ length: 500 }, (_, i) =>
    found(`web1 sshd[1]: guess from 10.0.${i >> 8}.${i & 255} port ${i + 1}`),
  );
  const { entries, leftOut } = foldLines(lines, 50);
  assert.equal(entries.length, 1);
  assert.match(entries[0]!.notes[0]!, /^500 lines like these from 500 addresses/);
  assert.deepEqual(leftOut, { entries: 0, events: 0 });
});

test("keeps the one line of a quiet program in a flood of invented words", () => {
  const flood = Array.from({ length: 3_000 }, (_, i) =>
    found(`web1 sshd[1]: Invalid user ${word(i)} from 10.0.0.1`),
  );
  const { entries, leftOut } = foldLines([...flood, found("web1 kernel: EXT4-fs error")], 20);
  assert.equal(entries.length, 20);
  assert.ok(entries.some((entry) => entry.lines[0] === "web1 kernel: EXT4-fs error"));
  assert.equal(leftOut.events, 3_001 - 20);
});

test("remembers no more shapes than its cap and counts the rest", () => {
  const lines = Array.from({ length: MAX_SHAPES + 500 }, (_, i) => found(`web1 x: ${word(i)}`));
  const { entries, leftOut } = foldLines(lines, 5);
  assert.equal(entries.length, 5);
  assert.equal(leftOut.events, MAX_SHAPES + 495);
});

test("loses no line: what is shown and what is counted make the whole", () => {
  const texts = fc.array(
    fc.oneof(fc.constantFrom(...HOSTILE), fc.string(), fc.constantFrom("a 1", "a 2", "b 1.2.3.4")),
  );
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 6 }), (lines, max) => {
      const { entries, leftOut } = foldLines(
        lines.map((text) => found(text)),
        max,
      );
      assert.ok(entries.length <= max);
      assert.equal(entries.reduce((sum, entry) => sum + entry.count, 0) + leftOut.events, lines.length);
    }),
  );
});

test("shows any text as one line that is neither a heading's rule nor a note", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary" })), (text) => {
      const shown = shownLine(text);
      assert.doesNotMatch(shown, /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]|^=-=|^\s/);
    }),
  );
});

test("cuts a line of ten megabytes without reading it to the end", () => {
  const { entries } = foldLines([found(`web1 x: ${"A1".repeat(5_000_000)}`)], 5);
  assert.ok(entries[0]!.lines[0]!.length < MAX_LINE + 60);
  assert.match(entries[0]!.lines[0]!, /\(10,000,008 characters in all\)$/);
});

// A different word for every number, without a digit that folding would mask.
function word(serial: number): string {
  return [...serial.toString(26)]
    .map((digit) => String.fromCharCode(97 + Number.parseInt(digit, 26)))
    .join("");
}
