// Finds a command, reads its options, runs it, and says what is said of a failure that a person can mend.
import { ConfigError, MissingPartError } from "../core/errors.ts";
import { showable } from "../core/hostile.ts";
import { COMMANDS, COMMON_OPTIONS, type CommandDefinition } from "./catalogue.ts";

// Not imported: as a module it would make Node load everything that node:util can do, which takes as long as all of telltale's own files
// of a small command.
const { parseArgs } = process.getBuiltinModule("node:util");

export const USAGE = 64; // EX_USAGE of sysexits.h
const UNAVAILABLE = 69; // EX_UNAVAILABLE
const NOPERM = 77; // EX_NOPERM

/** @returns the exit status; throws what is a defect of telltale's */
export async function callCommand(name: string, argv: readonly string[]): Promise<number> {
  const command = COMMANDS.find((known) => known.name === name);
  if (command !== undefined) return await call(command, argv);
  process.stderr.write((await import("./mistyped.ts")).noSuchCommand(name));
  return USAGE;
}

async function call(command: CommandDefinition, argv: readonly string[]): Promise<number> {
  const options: Record<string, { type: "string" | "boolean"; short?: string; multiple?: boolean }> = {};
  for (const { name, short, value, multiple } of [...command.options, ...COMMON_OPTIONS]) {
    options[name] = { type: value === undefined ? "boolean" : "string" };
    if (short !== undefined) options[name].short = short;
    if (multiple) options[name].multiple = true;
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    process.stderr.write((await import("./mistyped.ts")).wrongOptions(command, error));
    return USAGE;
  }
  if (parsed.values["help"]) {
    process.stdout.write((await import("./help.ts")).commandHelp(command));
    return 0;
  }
  if (parsed.values["version"]) {
    process.stdout.write(`telltale ${(await import("./version.ts")).VERSION}\n`);
    return 0;
  }
  if (command.takesOperands !== true && parsed.positionals.length > 0) {
    const found = showable(parsed.positionals[0]!);
    process.stderr.write(
      `telltale ${command.name}: takes no operands, found "${found}"\n    mend: see telltale ${command.name} --help\n`,
    );
    return USAGE;
  }
  try {
    const module = await command.run();
    return await module.run({
      values: parsed.values as Record<string, string | boolean | string[]>,
      operands: parsed.positionals,
    });
  } catch (error) {
    if (error instanceof MissingPartError) {
      process.stderr.write(`telltale ${command.name}: ${error.message}\n    mend: ${error.mend}\n`);
      return UNAVAILABLE;
    }
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`);
      return 1;
    }
    const refusal = (await import("./mistyped.ts")).refusedToUser(command, argv, error);
    if (refusal !== null) {
      process.stderr.write(refusal);
      return NOPERM;
    }
    throw error;
  }
}
