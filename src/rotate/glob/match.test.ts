import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { expandPattern, Listings } from "./expand.ts";
import { escapePattern, expandBraces, matchName, matchPath, matchText } from "./match.ts";

test("stars, sets, quotes and braces", () => {
  for (const [pattern, name, want] of [
    ["*.log", "a.log", true],
    ["*.log", ".hid.log", false],
    [".*", ".hid", true],
    ["a?c", "abc", true],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "bx", false],
    ["[]x]", "]", true],
    ["[x", "[x", true],
    ["a\\*", "a*", true],
    ["a\\*", "ab", false],
    ["[[:digit:]]*", "7up", true],
    ["*a*b*", "xaxbx", true],
    ["", "", true],
    ["*", "", true],
  ] as const) {
    assert.equal(matchName(pattern, name), want, `${pattern} ${name}`);
  }
  assert.deepEqual(expandBraces("a{b,c{d,e}}f{}"), ["abf{}", "acdf{}", "acef{}"]);
  assert.ok(matchPath("/var/log/{a,b}*/x.log", "/var/log/b2/x.log"));
  assert.ok(!matchPath("/var/log/*", "/var/log/a/b"));
});

test("a pattern with many stars against a long name ends soon", () => {
  const started = performance.now();
  assert.equal(matchText(`${"*a".repeat(60)}b`, "a".repeat(4000)), false);
  assert.ok(performance.now() - started < 5_000);
});

test("an escaped name matches itself and nothing shorter", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (name) => {
      assert.ok(matchText(escapePattern(name), name));
      assert.ok(!matchText(escapePattern(name), `${name}x`));
    }),
  );
});

test("expansion gives what the shell gives, in its order", (t) => {
  if (spawnSync("bash", ["-c", ":"]).error !== undefined) return t.skip("needs bash: apt install bash");
  const root = mkdtempSync(join(tmpdir(), "tt-glob-"));
  try {
    for (const directory of ["p", "q", ".h"]) {
      mkdirSync(join(root, directory));
      for (const name of ["a.log", "b.log", ".hid.log", "x[1].log", "c*"])
        writeFileSync(join(root, directory, name), "");
    }
    for (const pattern of [
      "*/*.log",
      "{p,q}/[ab].log",
      "?/x\\[1\\].log",
      "p/c\\*",
      ".h/*",
      "{q,p}/*",
      "*/.h*",
      "p/*{.log,c}*",
    ]) {
      const bash = spawnSync(
        "bash",
        ["-c", `cd ${root}; shopt -s nullglob; printf '%s\\n' ${root}/${pattern}`],
        { encoding: "utf8", env: { LC_ALL: "C" } },
      );
      assert.deepEqual(
        expandPattern(`${root}/${pattern}`, new Listings()).paths,
        bash.stdout.trim().split("\n"),
        pattern,
      );
    }
    assert.deepEqual(expandPattern(`${root}/none*`, new Listings()).paths, [`${root}/none*`]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
