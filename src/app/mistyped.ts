// What is said of a command line that cannot be followed: what was most likely meant, or who may ask for it. Loaded only then.
import { meant } from "../config/nearest.ts";
import { describeError } from "../core/errors.ts";
import { showable } from "../core/hostile.ts";
import { COMMANDS, COMMON_OPTIONS, type CommandDefinition } from "./catalogue.ts";
import { FACES } from "./faces.ts";

// Words that other tools have taught, fail2ban-client and systemctl before all.
const ELSEWHERE: Readonly<Record<string, string>> = {
  ban: "block",
  banned: "blocks",
  banip: "block",
  configtest: "config check",
  deny: "block",
  allow: "guardrails",
  lift: "unblock",
  log: "events",
  logs: "events",
  restart: "reload",
  run: "guard",
  start: "guard",
  test: "config check",
  unban: "unblock",
  unbanip: "unblock",
  version: "--version",
  watch: "events",
};

/** What is said of a word that is no command. */
export function noSuchCommand(word: string): string {
  const names = [...COMMANDS.map((command) => command.name), ...Object.keys(FACES)];
  const known = Object.hasOwn(ELSEWHERE, word) ? ELSEWHERE[word]! : meant(word, names);
  const mend =
    known === null
      ? "telltale --help lists the commands"
      : `did you mean telltale ${known}? telltale --help lists all`;
  return `telltale: "${showable(word)}" is no command\n    mend: ${mend}\n`;
}

/** What is said of options that a command does not take as they stand. @param error what parseArgs of node:util threw */
export function wrongOptions(command: CommandDefinition, error: unknown): string {
  const { message, mend } = diagnose(command, describeError(error));
  return `telltale ${command.name}: ${message}\n    mend: ${mend}\n`;
}

/** What is said of a failure that comes of not being root; null when root could do no better. */
export function refusedToUser(
  command: CommandDefinition,
  argv: readonly string[],
  error: unknown,
): string | null {
  const why = describeError(error);
  if (process.getuid?.() === 0 || !/\b(EPERM|EACCES)\b|not permitted|permission denied/i.test(why))
    return null;
  const again = ["sudo telltale", command.name, ...argv].map(showable).join(" ");
  return `telltale ${command.name}: ${showable(why)}\n    mend: ${again}\n`;
}

function diagnose(command: CommandDefinition, said: string): { message: string; mend: string } {
  const all = [...command.options, ...COMMON_OPTIONS];
  const help = `telltale ${command.name} --help lists all`;
  const unknown = /^Unknown option '(-{1,2})([^']*)'/.exec(said);
  if (unknown !== null) {
    const [, dashes, word] = unknown;
    const near =
      dashes === "--"
        ? meant(
            word!,
            all.map(({ name }) => name),
          )
        : null;
    return {
      message: `there is no option ${dashes}${showable(word!)}`,
      mend: near === null ? help : `did you mean --${near}? ${help}`,
    };
  }
  const name = /^Option '(?:-\w, )?--([\w-]+)/.exec(said)?.[1];
  const option = all.find((known) => known.name === name);
  if (option === undefined) return { message: showable(said), mend: help };
  return option.value === undefined
    ? { message: `--${option.name} takes no value`, mend: `write --${option.name} alone` }
    : { message: `--${option.name} wants ${option.value}`, mend: `write --${option.name}=${option.value}` };
}
