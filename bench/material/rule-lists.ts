// Debian's logcheck rules as flat lists, and more rules than Debian has: the same ones for programs of other names.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Every rule below these directories of `root`, without comments and empty lines, as logcheck takes them. */
export function readRules(root: string, directories: readonly string[]): string[] {
  return directories.flatMap((directory) =>
    globSync("*", { cwd: join(root, directory) })
      .filter((name) => /^[a-zA-Z0-9_-]+$/.test(name))
      .sort()
      .flatMap((name) => readFileSync(join(root, directory, name), "latin1").split("\n"))
      .map((rule) => rule.trimEnd())
      .filter((rule) => rule !== "" && !rule.startsWith("#")),
  );
}

/** The rules `times` over; each further set is for programs with a number behind their name, so that no two are alike. */
export function multiplyRules(rules: readonly string[], times: number): string[] {
  const out = [...rules];
  for (let number = 2; number <= times; number++) {
    for (const rule of rules) out.push(renameProgram(rule, number));
  }
  return out;
}

// The program stands behind the host name, which Debian's rules spell in two ways.
function renameProgram(rule: string, number: number): string {
  return rule.replace(
    /^(.*?(?:\[\._\[:alnum:\]-\]|\[\[:alnum:\]\._-\])\+ )((?:\(\?|\()?[\w./-]+)/,
    `$1$2${number}`,
  );
}

/**
 * A POSIX rule in Perl's spelling, for a matcher that reads that, or null for what Perl cannot say. Differences that
 * occur in rules: a backslash within brackets stands for itself (POSIX.1-2017 XBD 9.3.5), and `{,n}` counts from 0.
 */
export function asPerl(rule: string): string | null {
  let out = "";
  for (let at = 0; at < rule.length; at++) {
    const char = rule[at]!;
    if (char === "\\") {
      const escaped = rule[++at] ?? "";
      if ("<>`'".includes(escaped)) return null;
      out += char + escaped;
    } else if (char === "[") {
      const bracket = /^\[\^?\]?(?:\[:\w+:\]|\[\.[^\]]+\.\]|(?!\[[:.])[^\]])*\]/.exec(rule.slice(at))?.[0];
      if (bracket === undefined) return null;
      out += bracket.replaceAll("\\", "\\\\");
      at += bracket.length - 1;
    } else {
      out += char === "{" && rule[at + 1] === "," ? "{0" : char;
    }
  }
  return out;
}
