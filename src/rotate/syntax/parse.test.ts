import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseSyntax, type StanzaEntry, splitWords } from "./parse.ts";

const stanzas = (text: string): StanzaEntry[] =>
  parseSyntax(text, "f").entries.filter((entry): entry is StanzaEntry => entry.kind === "stanza");
const faults = (text: string): string[] =>
  parseSyntax(text, "f").faults.map(
    (fault) => `${fault.line} ${fault.key} ${fault.message} -> ${fault.consequence}`,
  );

test("reads globals, stanzas and scripts with their lines", () => {
  const { entries, faults } = parseSyntax(
    '# c\nweekly\nrotate = 4\n\n"/var/log/a b" /var/log/c\n{\n  daily create 0640 root adm\n  postrotate\n    x $1\n    # } {\n  endscript\n}\n',
    "f",
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(entries, [
    { kind: "directive", key: "weekly", value: "", line: 2 },
    { kind: "directive", key: "rotate", value: "4", line: 3 },
    {
      kind: "stanza",
      patternText: '"/var/log/a b" /var/log/c',
      patterns: ["/var/log/a b", "/var/log/c"],
      line: 5,
      broken: false,
      entries: [
        { kind: "directive", key: "daily", value: "", line: 7 },
        { kind: "directive", key: "create", value: "0640 root adm", line: 7 },
        {
          kind: "script",
          name: "postrotate",
          line: 8,
          script: { text: "\n    x $1\n    # } {\n", place: { file: "f", line: 8 } },
        },
      ],
    },
  ]);
});

test("a comment inside a list of names is left out, a brace inside a name is part of it", () => {
  assert.deepEqual(stanzas('/a\n  # "x\n/b {\n}\n')[0]?.patterns, ["/a", "/b"]);
  assert.deepEqual(stanzas("/log/{a,b}.log /c {\n}\n")[0]?.patterns, ["/log/{a,b}.log", "/c"]);
  assert.deepEqual(stanzas('"/log/{a b}.log" {\n}\n')[0]?.patterns, ["/log/{a b}.log"]);
});

const CONTAINED: [string, RegExp][] = [
  ["/bad {\n rotate 5 }\n", /^2 rotate reads its value to the end of the line/],
  ["/bad {\n daily\n", /^1 {2}a new stanza begins, and the \{ of this one is never closed/],
  ["/bad {\n daily;\n}\n", /^2 daily is not properly separated/],
  ["/bad {\n +x\n}\n", /^2 {2}lines must begin with a keyword or a filename/],
  ["}\n", /^1 {2}unexpected \}/],
];

test("one bad stanza costs one stanza: the next is read whole", () => {
  for (const [bad, message] of CONTAINED) {
    const text = `${bad}/good {\n  weekly\n}\n`;
    const good = stanzas(text).at(-1);
    assert.deepEqual(good?.patterns, ["/good"], bad);
    assert.equal(good.broken, false, bad);
    assert.equal(good.entries.length, 1, bad);
    assert.match(faults(text)[0] ?? "", message);
    for (const stanza of stanzas(text))
      if (stanza.patterns[0] === "/bad") assert.equal(stanza.broken, true, bad);
  }
});

test("a script without its end and names without their brace are faults", () => {
  assert.match(faults("/a {\n postrotate\n x\n}\n")[0]!, /^2 postrotate has no endscript -> stanza skipped/);
  assert.match(
    faults("/a\n daily\n")[0]!,
    /^1 {2}missing '\{' after log files definition -> rest of the file skipped/,
  );
});

test("words are split as a shell splits them", () => {
  assert.deepEqual(splitWords(`a 'b c' "d \\" \\x e" f\\ g ""`), ["a", "b c", 'd " \\x e', "f g", ""]);
});

test("no text makes the reader throw or run on", () => {
  const pieces = fc.constantFrom(
    "/a ",
    "{",
    "}",
    "\n",
    '"',
    "'",
    "\\",
    "#",
    "daily",
    "rotate 3",
    "postrotate\n",
    "endscript",
    " ",
    "=",
    "~",
    "x",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const text = parts.join("");
      const { entries, faults } = parseSyntax(text, "f");
      assert.ok(entries.length + faults.length <= text.length * 2 + 2);
      for (const fault of faults) assert.ok(fault.line >= 1 && fault.line <= text.split("\n").length);
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 300) },
  );
});
