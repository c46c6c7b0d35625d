// Completions for bash, zsh and fish, laid out from the catalogue, so that a shell offers exactly what the parser takes.
import { KEYS } from "../config/keys.ts";
import { COMMANDS, COMMON_OPTIONS, type CommandDefinition, type OptionDefinition } from "./catalogue.ts";
import { FACES } from "./faces.ts";

/** The file name each shell looks for → what belongs into it. */
export function completions(): ReadonlyMap<string, string> {
  return new Map([
    ["telltale.bash", bash()],
    ["_telltale", zsh()],
    ["telltale.fish", fish()],
  ]);
}

const faceNames = Object.keys(FACES);
const optionsOf = (command: CommandDefinition) => [...command.options, ...COMMON_OPTIONS];
// The usage names what may stand behind the options: LOG is a file, KEY one of the configuration, a word in small letters
// stands for itself.
const takesFiles = (command: CommandDefinition) => /\bLOG\b/.test(command.usage);
const ownWords = (command: CommandDefinition) => [
  ...[...command.usage.matchAll(/(?:^|\| )([a-z]+)/g)].map((match) => match[1]!),
  ...(/\bKEY\b/.test(command.usage) ? KEYS.map(({ name }) => name) : []),
];

type Value = { kind: "file" | "directory" | "free" } | { kind: "words"; words: readonly string[] };

function valueKind({ value }: OptionDefinition): Value | null {
  switch (value) {
    case undefined:
      return null;
    case "FILE":
    case "PLAN":
      return { kind: "file" };
    case "DIR":
      return { kind: "directory" };
    case "LEVEL":
      return { kind: "words", words: ["workstation", "server", "paranoid"] };
    default:
      return { kind: "free" };
  }
}

// --- bash: a function that fills COMPREPLY; see "Programmable Completion" in bash(1) -------------------------

function bash(): string {
  const commands = COMMANDS.map((command) => {
    const options = optionsOf(command);
    const values = options.flatMap((option) => {
      const value = valueKind(option);
      if (value === null) return [];
      const names = [`--${option.name}`, ...(option.short === undefined ? [] : [`-${option.short}`])];
      return [`        ${names.join(" | ")}) ${bashValue(value)}; return ;;`];
    });
    const words = ownWords(command);
    return [
      `    ${command.name})`,
      ...(values.length === 0 ? [] : ["      case $prev in", ...values, "      esac"]),
      `      case $cur in`,
      `        -*) mapfile -t COMPREPLY < <(compgen -W "${options.map(({ name }) => `--${name}`).join(" ")}" -- "$cur") ;;`,
      `        *) ${[
        ...(takesFiles(command) ? [bashValue({ kind: "file" })] : ["COMPREPLY=()"]),
        ...(words.length === 0
          ? []
          : [`mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "${words.join(" ")}" -- "$cur")`]),
      ].join("; ")} ;;`,
      "      esac ;;",
    ].join("\n");
  });
  const first = [...COMMANDS.map(({ name }) => name), ...faceNames, "--help", "--version"].join(" ");
  return [
    "# bash completion of telltale",
    "_telltale() {",
    "  local cur=$2 prev=$3",
    "  COMPREPLY=()",
    "  if ((COMP_CWORD == 1)); then",
    `    mapfile -t COMPREPLY < <(compgen -W "${first}" -- "$cur")`,
    "    return",
    "  fi",
    `  case \${COMP_WORDS[1]} in`,
    ...commands,
    `    ${faceNames.join(" | ")}) ${bashValue({ kind: "file" })} ;;`,
    "  esac",
    "}",
    "complete -F _telltale telltale",
    "",
  ].join("\n");
}

function bashValue(value: Value): string {
  switch (value.kind) {
    case "file":
      return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")';
    case "directory":
      return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")';
    case "words":
      return `mapfile -t COMPREPLY < <(compgen -W "${value.words.join(" ")}" -- "$cur")`;
    case "free":
      return "COMPREPLY=()";
  }
}

// --- zsh: _describe for the first word, _arguments behind it; see zshcompsys(1) --------------------------------

function zsh(): string {
  const commands = COMMANDS.map((command) => {
    const specs = optionsOf(command).map(zshOption);
    const words = ownWords(command);
    if (takesFiles(command))
      specs.push(
        `'*:log:${words.length === 0 ? "_files" : `_alternative "words\\:word\\:(${words.join(" ")})" "files\\:log\\:_files"`}'`,
      );
    else if (words.length > 0) specs.push(`'*:word:(${words.join(" ")})'`);
    return `  ${command.name}) _arguments -S ${specs.join(" ")} ;;`;
  });
  const described = (name: string, summary: string) => `    ${quoted(`${name}:${summary}`)}`;
  return [
    "#compdef telltale",
    "if ((CURRENT == 2)); then",
    "  local -a commands=(",
    ...COMMANDS.map(({ name, summary }) => described(name, summary)),
    ...faceNames.map((name) => described(name, `answer as ${name} does`)),
    "  )",
    "  _describe -t commands 'telltale command' commands",
    "  _arguments '--help[show this help]' '--version[show the version]'",
    "  return",
    "fi",
    "local command=$words[2]",
    "shift words",
    "((CURRENT--))",
    "case $command in",
    ...commands,
    `  ${faceNames.join(" | ")}) _files ;;`,
    "esac",
    "",
  ].join("\n");
}

function zshOption(option: OptionDefinition): string {
  const value = valueKind(option);
  const does = `[${option.summary.replace(/[[\]\\]/g, "\\$&")}]${value === null ? "" : `:${option.value}:${zshValue(value)}`}`;
  const many = option.multiple === true ? "*" : "";
  if (option.short === undefined) return quoted(`${many}--${option.name}${does}`);
  const both = many === "" ? `'(-${option.short} --${option.name})'` : "'*'";
  return `${both}{-${option.short},--${option.name}}${quoted(does)}`;
}

function zshValue(value: Value): string {
  switch (value.kind) {
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "words":
      return `(${value.words.join(" ")})`;
    case "free":
      return "";
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

// --- fish: one complete(1) line for each thing that can be said ----------------------------------------------

function fish(): string {
  const lines = ["# fish completion of telltale", "complete -c telltale -f"];
  const words = [
    ...COMMANDS.map(({ name, summary }) => [name, summary]),
    ...faceNames.map((name) => [name, `answer as ${name} does`]),
  ] as [string, string][];
  for (const [name, summary] of words) {
    lines.push(`complete -c telltale -n __fish_use_subcommand -a ${name} -d ${fishQuoted(summary)}`);
  }
  for (const { name, summary } of COMMON_OPTIONS) {
    lines.push(`complete -c telltale -n __fish_use_subcommand -l ${name} -d ${fishQuoted(summary)}`);
  }
  for (const command of COMMANDS) {
    const when = `complete -c telltale -n '__fish_seen_subcommand_from ${command.name}'`;
    for (const option of optionsOf(command)) {
      const short = option.short === undefined ? "" : ` -s ${option.short}`;
      const value = valueKind(option);
      const takes = value === null ? "" : ` ${fishValue(value)}`;
      lines.push(`${when} -l ${option.name}${short}${takes} -d ${fishQuoted(option.summary)}`);
    }
    for (const word of ownWords(command)) lines.push(`${when} -a ${word}`);
    if (takesFiles(command)) lines.push(`${when} -F`);
  }
  lines.push(`complete -c telltale -n '__fish_seen_subcommand_from ${faceNames.join(" ")}' -F`);
  return `${lines.join("\n")}\n`;
}

function fishValue(value: Value): string {
  switch (value.kind) {
    case "file":
      return "-r -F";
    case "directory":
      return "-x -a '(__fish_complete_directories)'";
    case "words":
      return `-x -a '${value.words.join(" ")}'`;
    case "free":
      return "-x";
  }
}

const fishQuoted = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;
