// Which files a configuration path or an `include` stands for: the file itself, or those of a directory, in order, but for what
// editors and package managers leave about.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { matchText } from "./glob/match.ts";

/** The extensions that are never included, unless `tabooext` says otherwise. */
export const TABOO_EXTENSIONS = [
  ",v",
  ".bak",
  ".cfsaved",
  ".disabled",
  ".dpkg-bak",
  ".dpkg-del",
  ".dpkg-dist",
  ".dpkg-new",
  ".dpkg-old",
  ".dpkg-tmp",
  ".new",
  ".old",
  ".orig",
  ".rhn-cfg-tmp-*",
  ".rpmnew",
  ".rpmorig",
  ".rpmsave",
  ".swp",
  ".ucf-dist",
  ".ucf-new",
  ".ucf-old",
  "~",
];

export type Taboo = {
  readonly tabooExtensions: readonly string[];
  readonly tabooPatterns: readonly string[];
};

export type Files = {
  readonly files: readonly string[];
  /** What was passed by, and why. */
  readonly notes: readonly string[];
};

/** Lists the files. Throws what stat(2) and readdir(3) throw. */
export function filesAt(path: string, taboo: Taboo): Files {
  if (!statSync(path).isDirectory()) return { files: [path], notes: [] };
  const patterns = [...taboo.tabooExtensions.map((extension) => `*${extension}`), ...taboo.tabooPatterns];
  const files: string[] = [];
  const notes: string[] = [];
  for (const name of readdirSync(path).sort()) {
    const pattern = patterns.find((one) => matchText(one, name));
    if (pattern !== undefined) notes.push(`Ignoring ${name}, because of ${pattern} pattern match`);
    else if (statSync(join(path, name), { throwIfNoEntry: false })?.isFile()) files.push(join(path, name));
    else notes.push(`Ignoring ${name} because it's not a regular file.`);
  }
  return { files, notes };
}
