// Help texts, laid out from the catalogue.
import { COMMANDS, COMMON_OPTIONS, type CommandDefinition, type OptionDefinition } from "./catalogue.ts";
import { FACES } from "./faces.ts";

/** `telltale --help`. */
export function generalHelp(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length));
  return [
    "telltale: keeps logs rotated, reads them for trouble, notices port scans, locks the scanner out, reports",
    "",
    "usage: telltale COMMAND [OPTION...]",
    "",
    ...COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
    "",
    `In place of the old tools, with their options: telltale ${Object.keys(FACES).join(", ")}.`,
    "telltale COMMAND --help explains one. With no configuration it observes and blocks nobody.",
    "",
  ].join("\n");
}

/** `telltale COMMAND --help`. */
export function commandHelp(command: CommandDefinition): string {
  const left = (option: OptionDefinition) =>
    `${option.short === undefined ? "    " : `-${option.short}, `}--${option.name}${option.value === undefined ? "" : ` ${option.value}`}`;
  const options = [...command.options, ...COMMON_OPTIONS];
  const width = Math.max(...options.map((option) => left(option).length));
  const exampleWidth = Math.max(...command.examples.map(([example]) => example.length));
  return [
    `telltale ${command.name}: ${command.summary}`,
    "",
    `usage: telltale ${command.name} ${command.usage}`,
    "",
    ...wrap(command.description, 90),
    "",
    ...options.map((option) => `  ${left(option).padEnd(width)}  ${option.summary}`),
    "",
    "examples:",
    ...command.examples.map(([example, does]) => `  ${example.padEnd(exampleWidth)}  ${does}`),
    "",
  ].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1]!;
    if (last.length + word.length + 1 > width && last !== "") lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}
