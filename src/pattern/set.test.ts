// What callers rely on beside the matching itself: indices, faults, bounds on memory, hostile lines.
import assert from "node:assert/strict";
import test from "node:test";
import { compilePatternSet, escapePattern } from "./set.ts";
import { grepMissing, judge } from "./testing/grep.ts";

const bytes = (text: string) => Buffer.from(text);

test("a set answers with the indices of the patterns as given", () => {
  const { set, faults } = compilePatternSet(["^a", "b$", "c", "^a.*b$"]);
  assert.deepEqual(faults, []);
  assert.equal(set.size, 4);
  assert.deepEqual(set.all(bytes("a-c-b")), [0, 1, 2, 3]);
  assert.equal(set.first(bytes("xcb")), 1);
  assert.equal(set.first(bytes("xyz")), -1);
  assert.deepEqual(set.all(bytes("xyz")), []);
});

test("a faulty pattern is left out, named, and does not shift the others", () => {
  const { set, faults } = compilePatternSet(["ok", "a(b", "[[:wrong:]]", "z{3,1}", "fine"]);
  assert.deepEqual(
    faults.map(({ index, position, reason }) => ({ index, position, reason })),
    [
      { index: 1, position: 1, reason: "Unmatched ( or \\(" },
      { index: 2, position: 1, reason: 'Invalid character class name "wrong"' },
      { index: 3, position: 1, reason: "Invalid content of \\{\\}" },
    ],
  );
  assert.ok(faults.every(({ mend }) => mend !== ""));
  assert.equal(set.size, 5);
  assert.deepEqual(set.all(bytes("ok fine")), [0, 4]);
});

test("a fault's position counts bytes, also behind wide characters and in later lines", () => {
  for (const [pattern, position] of [
    ["é(", 2],
    ["😀[a", 4],
    ["ok\né\\", 5],
  ] as const) {
    assert.equal(compilePatternSet([pattern]).faults[0]?.position, position, pattern);
  }
});

test("every fault begins with grep's own words", (t) => {
  if (grepMissing !== null) return t.skip(grepMissing);
  const faulty = [
    "a(",
    "[a",
    "[",
    "[[:x:]]",
    "[:space:]",
    "[z-a]",
    "[[.ab.]]",
    "a{2,1}",
    "a{40000}",
    "\\1",
    "a\\",
  ];
  for (const pattern of [...faulty, "a{}", "[a-[:digit:]]", "[а-я]"]) {
    const said = judge([bytes(pattern)], [bytes("")], { locale: "C.UTF-8" });
    const [fault] = compilePatternSet([pattern]).faults;
    assert.ok("refused" in said && fault !== undefined, pattern);
    const words = fault.reason.replace(/ ".*/, "");
    assert.ok(said.refused.includes(words), `${pattern}: grep says ${said.refused}we say ${fault.reason}`);
  }
});

test("an empty set matches nothing", () => {
  for (const patterns of [[], ["("]]) {
    const { set } = compilePatternSet(patterns);
    assert.equal(set.matches(bytes("")), false);
    assert.equal(set.first(bytes("x")), -1);
    assert.deepEqual(set.all(bytes("x")), []);
  }
});

test("an escaped text matches itself and nothing shorter", (t) => {
  const text = "a.b*c+d?e{2}f[g]h(i)j|k^l$m\\n-o'p`q<r>é";
  const pattern = escapePattern(text);
  const { set, faults } = compilePatternSet([`^${pattern}$`]);
  assert.deepEqual(faults, []);
  assert.equal(set.matches(bytes(text)), true);
  assert.equal(set.matches(bytes(text.slice(1))), false);
  assert.throws(() => escapePattern("a\nb"), RangeError);
  if (grepMissing !== null) return t.skip(grepMissing);
  assert.deepEqual(judge([bytes(`^${pattern}$`)], [bytes(text)], { locale: "C.UTF-8" }), {
    matching: new Set([0]),
  });
});

test("patterns that would need unbounded memory are refused one by one", () => {
  const { set, faults } = compilePatternSet(["((a{999}){999}){999}", "ok", "(".repeat(10_000)]);
  assert.deepEqual(
    faults.map(({ index }) => index),
    [0, 2],
  );
  assert.equal(set.matches(bytes("ok")), true);
});

test("a line of ten megabytes with nested repeats takes few states", () => {
  const { set } = compilePatternSet(["(a+)+$", "((x|y)*)*z", "^(([a-z])+.)+[A-Z]([a-z])+$"]);
  const line = Buffer.alloc(10 << 20, "a");
  assert.deepEqual(set.all(line), [0]);
  line[line.length - 1] = 0;
  assert.equal(set.matches(line), false);
  const { states, flushes, gaveUp } = set.stats();
  assert.ok(states < 50, `${states} states`);
  assert.deepEqual({ flushes, gaveUp }, { flushes: 0, gaveUp: 0 });
});

test("a set whose automaton explodes stays within its cache and answers rightly", () => {
  const cacheBytes = 64 << 10;
  const { set } = compilePatternSet(["(a|b)*a(a|b){12}c", "never"], { locale: "C", cacheBytes });
  let seed = 7;
  for (let line = 0; line < 200; line++) {
    const text = Array.from({ length: 100 }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 16) & 1 ? "a" : "b";
    }).join("");
    assert.equal(set.matches(bytes(`${text}c`)), text[87] === "a", text);
    assert.equal(set.first(bytes(`${text}c`)), text[87] === "a" ? 0 : -1);
    assert.deepEqual(set.all(bytes(`${text}c`)), text[87] === "a" ? [0] : []);
  }
  const stats = set.stats();
  assert.ok(stats.cacheBytes <= cacheBytes, `${stats.cacheBytes} bytes`);
  assert.ok(stats.flushes > 0);
});

test("a back-reference on a hostile line ends with no match, and the set says that it gave up", () => {
  const { set } = compilePatternSet(["^(a*)*(a*)*(a*)*\\1\\2\\3b$", "^x"]);
  assert.equal(set.matches(bytes("aaab")), true);
  assert.equal(set.stats().gaveUp, 0);
  assert.equal(set.matches(bytes(`${"a".repeat(2000)}cb`)), false);
  assert.equal(set.stats().gaveUp, 0, "the automaton alone rules that line out");
  assert.equal(compilePatternSet(["^(a*)*(a*)*(a*)*c\\1\\2\\3b$"]).set.matches(bytes("aacaab")), true);
  const hard = compilePatternSet(["^((a|b)*)((a|b)*)((a|b)*)c\\1\\3\\5\\1d$"]).set;
  assert.equal(hard.matches(bytes(`${"ab".repeat(60)}c${"a".repeat(200)}d`)), false);
  assert.equal(hard.stats().gaveUp, 1);
});

test("NULs and bytes that are no UTF-8 are ordinary parts of a line", () => {
  const { set } = compilePatternSet(["^a.*b$", "\\bend$"]);
  assert.equal(set.matches(Uint8Array.of(0x61, 0, 0, 0x62)), true);
  assert.equal(set.matches(Uint8Array.of(0x61, 0xff, 0x62)), false, '"." does not match an invalid byte');
  assert.equal(set.matches(Buffer.concat([Buffer.of(0xff, 0x20), bytes("end")])), true);
});
