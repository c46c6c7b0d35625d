import assert from "node:assert/strict";
import test from "node:test";
import { blocksOf, missingFrom, stepsOf } from "./session.ts";

test("a document's commands are found with their lines and what is shown below them", () => {
  const [block] = blocksOf("# A\n\n```console\n$ echo a \\\n    b\na b\n$ true\n```\n");
  assert.deepEqual(stepsOf(block!), [
    { line: 4, command: "echo a \\\n    b", shown: ["a b"] },
    { line: 7, command: "true", shown: [] },
  ]);
});

test("output shown without a command is a fault of the document", () => {
  assert.throws(() => stepsOf(blocksOf("```console\nlost\n```\n")[0]!), /line 2/);
});

test("shown lines are looked for in order, and an ellipsis stands for anything", () => {
  const output = "one 1\ntwo 22 b\nthree\n";
  assert.equal(missingFrom(output, ["one …", "…", "two …b", "three"]), null);
  assert.equal(missingFrom(output, ["two 22 b", "one 1"]), "one 1");
  assert.equal(missingFrom(output, ["two … c"]), "two … c");
  assert.equal(missingFrom("aXa", ["aX…Xa"]), "aX…Xa");
});
