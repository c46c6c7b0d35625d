import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { mendOf } from "./mistake.ts";
import { readConfig } from "./read.ts";

test("each of the usual mistakes is named with what to write", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-toml-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "telltale.toml");
  const cases: [text: string, line: number, mend: RegExp][] = [
    ["[respond\nmode = 1\n", 1, /^close the section's name: \[respond\]$/],
    ["[respond]\nmode = block\n", 2, /^put the value in quotes: mode = "\.\.\."$/],
    ["[respond]\nblock_for = 10m\n", 2, /^put the value in quotes: block_for = /],
    ["[disk]\nmin_free = 10%\n", 2, /^put the value in quotes: min_free = /],
    ["[rotate]\nstate = /var/x\n", 2, /^put the value in quotes: state = /],
    ['[respond]\nmode = "block\n', 2, /^close the quotes of mode$/],
    ["[respond]\nmode =\n", 2, /^write a value behind mode =$/],
    ["[respond]\nmode\n", 2, /^write mode = and a value$/],
    ["[respond]\nmode: block\n", 2, /with = and not with :$/],
    ['[respond]\nallow = ["192.0.2.1" "192.0.2.2"]\n', 2, /^put a comma between the values of allow$/],
    ["[respond]\n[report]\n[respond]\n", 3, /^write each section and each key once/],
    ['[report]\nto = "a"\nto = "b"\n', 3, /^write each section and each key once/],
  ];
  for (const [text, line, mend] of cases) {
    writeFileSync(file, text);
    const { faults } = readConfig(file, true);
    assert.equal(faults.length, 1, text);
    assert.equal(faults[0]!.line, line, text);
    assert.match(faults[0]!.mend, mend);
    assert.match(faults[0]!.message, /^is no TOML: /);
  }
});

test("any text whatever has a mend, and a value behind = is never repeated", () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(3), fc.nat(90), fc.string(), (text, line, column, says) => {
      assert.notEqual(mendOf({ text, line, column, says }), "");
      const secret = `token = hunter2${text.replaceAll("\n", "")}`;
      assert.doesNotMatch(mendOf({ text: secret, line: 1, column, says }), /hunter2/);
    }),
  );
});
