// Who reads a guard's words: a small program in C, so that what is measured is when the word came and not how long a
// runtime takes to wake up for it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, ROOT } from "../../tests/system/lab.ts";
import { buildC } from "../compiled.ts";
import { missing } from "../machine.ts";

const SOURCE = join(ROOT, "bench/engines/reader.c");

/** Why there is no such reader here, or null. */
export const readerObstacle = (): string | null => missing("cc", "gcc libc6-dev");

/** Builds it in the lab's folder. @returns its path. @throws Error when it does not compile */
export function buildReader(lab: Lab): string {
  const program = join(lab.dir, "reader");
  const obstacle = buildC(SOURCE, program);
  if (obstacle !== null) throw new Error(obstacle);
  return program;
}

/** Puts the reader behind a program: what to start it by, and when each line that it wrote could be read. */
export function readBy(lab: Lab): { readonly as: readonly string[]; linesMs(): number[] } {
  const stamps = join(lab.dir, "stamps");
  const linesMs = (): number[] =>
    readFileSync(stamps, "latin1")
      .split("\n")
      .slice(0, -1)
      .map((seconds) => Number(seconds) * 1_000);
  return { as: [buildReader(lab), stamps], linesMs };
}
