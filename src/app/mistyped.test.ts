// A slip of the finger is answered with what was meant, in two lines.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArgs } from "node:util";
import { COMMANDS } from "./catalogue.ts";
import { noSuchCommand, wrongOptions } from "./mistyped.ts";

const command = (name: string) => COMMANDS.find((known) => known.name === name)!;

function refused(name: string, ...args: string[]): string {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const option of command(name).options)
    options[option.name] = {
      type: option.value === undefined ? "boolean" : "string",
      ...(option.short === undefined ? {} : { short: option.short }),
    };
  try {
    parseArgs({ args, options, strict: true });
  } catch (error) {
    return wrongOptions(command(name), error);
  }
  return assert.fail("was taken");
}

test("a command that is nearly one, or is called so elsewhere, is named", () => {
  for (const [word, named] of [
    ["statu", "status"],
    ["rep", "report"],
    ["unlbock", "unblock"],
    ["ban", "block"],
    ["unban", "unblock"],
    ["start", "guard"],
    ["logrotat", "logrotate"],
    ["version", "--version"],
  ])
    assert.match(
      noSuchCommand(word!),
      new RegExp(`^telltale: "${word}" is no command\\n    mend: did you mean telltale ${named}\\?`),
    );
  for (const word of ["frobnicate", "x", "constructor", ""])
    assert.match(noSuchCommand(word), /mend: telltale --help lists the commands\n$/, word);
  assert.doesNotMatch(noSuchCommand("\x1b[31mred"), /\x1b/);
});

test("an option that is nearly one is named, and a value that is missing or too many", () => {
  assert.match(refused("rotate", "--plann"), /there is no option --plann\n {4}mend: did you mean --plan\? /);
  assert.match(
    refused("rotate", "-z"),
    /there is no option -z\n {4}mend: telltale rotate --help lists all\n$/,
  );
  assert.match(refused("check", "--level"), /--level wants LEVEL\n {4}mend: write --level=LEVEL\n$/);
  assert.match(refused("check", "--level", "--all"), /--level wants LEVEL\n {4}mend: write --level=LEVEL\n$/);
  assert.match(refused("check", "--json=1"), /--json takes no value\n {4}mend: write --json alone\n$/);
  assert.match(refused("check", "-c"), /--config wants FILE\n/);
});
