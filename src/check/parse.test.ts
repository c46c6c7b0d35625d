// The small decisions about bytes, each held against the program whose decision it is.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import fc from "fast-check";
import { trimmedEnd } from "./blanks/match.ts";
import { localeOf } from "./locale.ts";
import { parseRuleFile } from "./parse.ts";
import { OTHER_SPELLING_GROWTH_BYTES, parseStamp, writeOtherSpelling } from "./stamp/parse.ts";
import type { Locale } from "./types.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 40);

// Every kind of white space that any locale knows, look-alikes that are none, and broken UTF-8.
const piece = fc.constantFrom(
  ...["a", "#", " ", "\t", "\r", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u180e", "\u2000", "\u2006"],
  ...["\u2007", "\u200a", "\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"],
);
const broken = fc.constantFrom(
  Buffer.of(0xe2),
  Buffer.of(0xe2, 0x80),
  Buffer.of(0x80),
  Buffer.of(0xff),
  Buffer.of(0),
);
const line = fc
  .array(fc.oneof({ weight: 5, arbitrary: piece.map((text) => Buffer.from(text)) }, broken), { maxLength: 7 })
  .map((parts) => Buffer.concat(parts));
const lines = fc.array(line, { minLength: 1, maxLength: 40 });
const locales = fc.constantFrom<Locale>("C", "C.UTF-8");

function filter(command: string, args: readonly string[], input: Buffer, locale: Locale): Buffer {
  const env = { PATH: process.env["PATH"], LC_ALL: locale };
  return spawnSync(command, args, { input, env, maxBuffer: 16 << 20 }).stdout;
}

function joined(given: readonly Uint8Array[]): Buffer {
  return Buffer.concat(given.flatMap((bytes) => [bytes, Buffer.of(0x0a)]));
}

test("cuts the trailing blanks that sed cuts", () => {
  fc.assert(
    fc.property(lines, locales, (given, locale) => {
      const real = filter("sed", ["-e", "s/[[:space:]]\\+$//"], joined(given), locale);
      const ours = joined(
        given.map((bytes) => bytes.subarray(0, trimmedEnd(bytes, 0, bytes.length, locale))),
      );
      assert.deepEqual(ours, real);
    }),
    { numRuns: RUNS },
  );
});

test("takes for rules the lines that logcheck's grep takes", () => {
  fc.assert(
    fc.property(lines, locales, fc.boolean(), (given, locale, ended) => {
      const text = ended ? joined(given) : joined(given).subarray(0, -1);
      const real = filter("grep", ["-E", "--text", "-v", "^[[:space:]]*$|^#"], text, locale);
      const rules = parseRuleFile(text, "f", locale);
      assert.deepEqual(joined(rules.map(({ bytes }) => bytes)), real);
    }),
    { numRuns: RUNS },
  );
});

test("a rule's place is its line in the file", () => {
  const rules = parseRuleFile(Buffer.from("# one\n\nthree\n   \nfive \x1b"), "/etc/x", "C");
  assert.deepEqual(
    rules.map(({ place }) => place),
    [
      { file: "/etc/x", line: 3, text: "three" },
      { file: "/etc/x", line: 5, text: "five \\x1b" },
    ],
  );
});

function respelled(text: string): string | null {
  const bytes = Buffer.from(`<${text}>`);
  const into = new Uint8Array(bytes.length + OTHER_SPELLING_GROWTH_BYTES);
  const length = writeOtherSpelling(bytes, 1, bytes.length - 1, into);
  return length < 0 ? null : Buffer.from(into.subarray(0, length)).toString();
}

test("writes a timestamp in its other spelling, and nothing that is none", () => {
  const cases: [string, string | null][] = [
    ["Nov 22 19:51:02 host x", "2000-11-22T19:51:02.000000+00:00 host x"],
    ["Feb 29 00:00:00 ", "2000-02-29T00:00:00.000000+00:00 "],
    ["Jan  1 00:00:00 h", "2000-01-01T00:00:00.000000+00:00 h"],
    ["2026-11-02T19:51:02.123456+01:00 host x", "Nov  2 19:51:02 host x"],
    ["2026-12-31T23:59:59Z h", "Dec 31 23:59:59 h"],
    ["2026-12-31T23:59:59,5-0330 h", "Dec 31 23:59:59 h"],
    ["2026-12-31T23:59:59+00:00", null],
    ["2026-12-31 23:59:59Z host", null],
    ["2026-00-31T23:59:59Z host", null],
    ["2026-12-31T23:59:59.Z host", null],
    ["2026-12-31T23:59:59.1234567890Z host", null],
    ["2026-12-31T23:59:59+0 host x", null],
    ["Nov 22 19:51:02", null],
    ["Nov 22 19:51:02x", null],
    ["nov 22 19:51:02 h", null],
    ["Nov x2 19:51:02 h", null],
    ["Nov 22 1x:51:02 h", null],
    ["", null],
  ];
  for (const [text, want] of cases) assert.equal(respelled(text), want, text);
});

test("never reads past a line, and there and back is the same moment", () => {
  fc.assert(
    fc.property(
      fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }),
      fc.nat(40),
      (at, cut) => {
        const text = `${at.toISOString()} host message`;
        const there = respelled(text)!;
        assert.equal(respelled(there)!.slice(5, 19), text.slice(5, 19));
        const bytes = Buffer.from(text);
        const end = Math.min(cut, bytes.length);
        assert.deepEqual(parseStamp(bytes, 0, end), parseStamp(bytes.subarray(0, end), 0, end));
      },
    ),
    { numRuns: RUNS },
  );
});

test("the locale is what the environment says, in the order of setlocale", () => {
  const cases: [Record<string, string>, Locale][] = [
    [{}, "C"],
    [{ LANG: "en_GB.UTF-8" }, "C.UTF-8"],
    [{ LANG: "en_GB.utf8", LC_ALL: "POSIX" }, "C"],
    [{ LANG: "C", LC_CTYPE: "C.UTF-8" }, "C.UTF-8"],
    [{ LANG: "de_DE.ISO-8859-1" }, "C"],
    [{ LANG: "C.UTF-8", LC_ALL: "" }, "C.UTF-8"],
  ];
  for (const [env, want] of cases) assert.equal(localeOf(env), want, JSON.stringify(env));
});
