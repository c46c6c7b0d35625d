// The door: which command or face was called, with which options. Everything else is loaded only when it is
// needed, so that a small command starts fast.
import { parseArgs } from "node:util";
import { ConfigError, MissingPartError } from "../core/errors.ts";
import { showable } from "../core/hostile.ts";
import { COMMANDS, COMMON_OPTIONS, type CommandDefinition } from "./catalogue.ts";
import { FACES } from "./faces.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { VERSION } from "./version.ts";

const USAGE = 64; // EX_USAGE of sysexits.h
const UNAVAILABLE = 69; // EX_UNAVAILABLE
const IOERR = 74; // EX_IOERR
const NOPERM = 77; // EX_NOPERM

process.exitCode = await main(process.argv.slice(2), process.env["TELLTALE_CALLED_AS"] ?? "telltale");

async function main(argv: readonly string[], calledAs: string): Promise<number> {
  let isLossTold = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // A reader that went away (`telltale report | head`) is no error of ours.
    if (error.code === "EPIPE") process.exit(0);
    // On a full disk the guard goes on: who is shut out counts for more than the lines about it.
    if (isLossTold) return;
    isLossTold = true;
    process.stderr.write(
      `telltale: lines for standard output are lost: ${error.message}\n    mend: make room there\n`,
    );
    process.on("exit", () => {
      process.exitCode ||= IOERR;
    });
  });
  const face = FACES[calledAs];
  if (face !== undefined) return (await face()).main(argv);

  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(generalHelp());
    return name === undefined ? USAGE : 0;
  }
  if (name === "--version" || name === "-V") {
    process.stdout.write(`telltale ${VERSION}\n`);
    return 0;
  }
  // The guard's own jobs; nobody types this.
  if (name === "job") return (await import("./jobs.ts")).runJob(rest[0]);
  if (name === "listener") return (await import("./split/listener.ts")).runListener();
  const ownFace = FACES[name];
  if (ownFace !== undefined) return (await ownFace()).main(rest);
  const command = COMMANDS.find((known) => known.name === name);
  if (command === undefined) {
    process.stderr.write((await import("./mistyped.ts")).noSuchCommand(name));
    return USAGE;
  }
  return await call(command, rest);
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
    process.stdout.write(commandHelp(command));
    return 0;
  }
  if (parsed.values["version"]) {
    process.stdout.write(`telltale ${VERSION}\n`);
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
