// Writes table.ts: the character classes and case pairs of the C.UTF-8 locale of the glibc installed here, asked
// of grep and sed themselves, so that the table is what the peers see. Run by hand when a new glibc changes them:
//   node src/pattern/locale/generate-table.ts
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { CLASS_NAMES } from "./types.ts";

const env = { LC_ALL: "C.UTF-8", PATH: process.env["PATH"] ?? "/usr/bin:/bin" };

function run(tool: string, args: string[], input: string): string {
  const done = spawnSync(tool, args, { input, env, maxBuffer: 1 << 28, encoding: "utf8" });
  if (done.error !== undefined) throw done.error;
  return done.stdout;
}

// Every code point that can stand in a line: surrogates are no characters, and newline ends the line.
const points: number[] = [];
for (let point = 0; point <= 0x10ffff; point++) {
  if (point !== 10 && (point < 0xd800 || point > 0xdfff)) points.push(point);
}
const lines = `${points.map((point) => String.fromCodePoint(point)).join("\n")}\n`;

/** Sorted numbers as `gap,length-1` pairs in base 36, gap counted from the end of the range before. */
function pack(members: readonly number[]): string {
  const out: string[] = [];
  let from = -1;
  let to = -1;
  let previousEnd = 0;
  const flush = () => {
    if (from < 0) return;
    out.push((from - previousEnd).toString(36), (to - from).toString(36));
    previousEnd = to + 1;
  };
  for (const member of members) {
    if (from >= 0 && member === to + 1) to = member;
    else {
      flush();
      from = to = member;
    }
  }
  flush();
  return out.join(",");
}

let text = `// Written by generate-table.ts from glibc's C.UTF-8 locale; not edited by hand.
// Ranges are pairs "gap,length-1" in base 36; case pairs are "gap to the previous lower case letter,upper minus lower".
import type { ClassName } from "./types.ts";

export const PACKED_CLASSES: Readonly<Record<ClassName, string>> = {
`;
for (const name of CLASS_NAMES) {
  const numbers = run("grep", ["-E", "--text", "-n", "-o", `^[[:${name}:]]$`], lines)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => points[Number(line.slice(0, line.indexOf(":"))) - 1]!);
  // grep sees lines, so newline itself is added from POSIX: it is a control and a white-space character.
  if (name === "cntrl" || name === "space") numbers.push(10);
  text += `  ${name}:\n    "${pack(numbers.sort((a, b) => a - b))}",\n`;
}
text += "};\n";

const upper = run("sed", ["-e", "s/.*/\\U&/"], lines).split("\n");
const pairs: string[] = [];
let previous = 0;
points.forEach((point, index) => {
  const other = upper[index]!.codePointAt(0);
  if (other === undefined || other === point) return;
  pairs.push((point - previous).toString(36), (other - point).toString(36));
  previous = point;
});
text += `\nexport const PACKED_UPPER =\n  "${pairs.join(",")}";\n`;
writeFileSync(new URL("./table.ts", import.meta.url), text);
