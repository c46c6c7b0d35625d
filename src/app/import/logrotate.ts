// logrotate's configuration needs no translation: telltale reads it where it is. What an import owes its owner is the list
// of what is done with each line of it.
import { isAbsolute, join } from "node:path";
import { DEFAULTS, DIRECTIVES, nearestDirective } from "../../rotate/directives/parse.ts";
import { matchText } from "../../rotate/glob/match.ts";
import { TABOO_EXTENSIONS } from "../../rotate/include.ts";
import { type DirectiveEntry, parseSyntax, type ScriptEntry } from "../../rotate/syntax/parse.ts";
import type { Files } from "./files.ts";
import { type Note, type Ruling, rule } from "./types.ts";

const CONFIG = "/etc/logrotate.conf";
const MAX_DEPTH = 8;
// The files may be those of another host, whose accounts are not this one's.
const ANYBODY = { uidOf: () => 0, gidOf: () => 0 };
const SAME = "telltale reads this file itself";
// Where telltale does more or less than logrotate; docs/rotate-differences.md has the whole list.
const CHANGED: Readonly<Record<string, string>> = {
  errors: "failures are mailed to this address; logrotate ignores the directive",
  size: "looked at every second by the guard, not once a run",
  maxsize: "looked at every second by the guard, not once a run",
};

/** Takes down every directive of /etc/logrotate.conf and of what it includes. */
export function importLogrotate(files: Files, note: Note): void {
  readConfig(CONFIG, files, note, 0);
}

function readConfig(file: string, files: Files, note: Note, depth: number): void {
  const text = depth > MAX_DEPTH ? null : files.read(file);
  if (text === null) return;
  const { entries, faults } = parseSyntax(text, file);
  for (const { line, key, message, mend } of faults) {
    note({ file, line, name: key, value: "" }, "unsupported", mend === "" ? message : `${message}; ${mend}`);
  }
  const take = (entry: DirectiveEntry | ScriptEntry): void => {
    if (entry.kind === "script") {
      note({ file, line: entry.line, name: entry.name, value: "" }, "honoured", `run by sh; ${SAME}`);
      return;
    }
    note({ file, line: entry.line, name: entry.key, value: entry.value }, ...judge(entry));
    if (entry.key === "include" && entry.value !== "") includeAll(entry.value, file, files, note, depth);
  };
  for (const entry of entries) {
    if (entry.kind === "stanza") for (const inner of entry.entries) take(inner);
    else take(entry);
  }
}

function includeAll(path: string, from: string, files: Files, note: Note, depth: number): void {
  const target = isAbsolute(path) ? path : join(from, "..", path);
  const inside = files.list(target);
  for (const file of inside.length > 0 ? inside : [target]) {
    if (!TABOO_EXTENSIONS.some((extension) => matchText(`*${extension}`, file)))
      readConfig(file, files, note, depth + 1);
  }
}

function judge({ key, value }: DirectiveEntry): Ruling {
  if (["include", "tabooext", "taboopat"].includes(key)) return rule("honoured", SAME);
  const directive = DIRECTIVES.get(key);
  if (directive === undefined) {
    const near = nearestDirective(key);
    const mend = near === null ? "" : `; did you mean ${near}?`;
    return rule("unsupported", `is no directive of logrotate's; the line is ignored${mend}`);
  }
  const refusal = directive.apply({ ...DEFAULTS }, value, ANYBODY);
  if (refusal !== null) return rule("unsupported", `${refusal.message}; ${refusal.mend}`);
  const changed = CHANGED[key];
  return rule(changed === undefined ? "honoured" : "changed", changed ?? SAME);
}
