import assert from "node:assert/strict";
import test from "node:test";
import { asPerl, multiplyRules } from "./rule-lists.ts";

const RULE = String.raw`^(\w{3} [ :0-9]{11}|[0-9T:.+-]{32}) [._[:alnum:]-]+ sshd\[[[:digit:]]+\]: Connection from [^[:space:]]+$`;

test("rules are multiplied by renaming the program that they are for", () => {
  const [same, second, third] = multiplyRules([RULE], 3);
  assert.equal(same, RULE);
  assert.equal(second, RULE.replace("sshd", "sshd2"));
  assert.equal(third, RULE.replace("sshd", "sshd3"));
});

test("a rule means the same in Perl's spelling, or is left out", () => {
  const cases: [string, string | null][] = [
    [RULE, RULE],
    [String.raw`[\w]+x`, String.raw`[\\w]+x`],
    [String.raw`[]\]a`, String.raw`[]\\]a`],
    ["a{,3}", "a{0,3}"],
    [String.raw`a\{,3`, String.raw`a\{,3`],
    [String.raw`\<word\>`, null],
    ["[[:digit:]", null],
  ];
  for (const [posix, perl] of cases) assert.equal(asPerl(posix), perl, posix);
});
