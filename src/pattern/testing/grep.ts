// The judge: what the grep on this machine says about patterns and lines.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locale } from "../locale/types.ts";

/** Anything that is no GNU grep is no judge. The room was written against 3.8 with glibc 2.36. */
export const grepMissing: string | null = /GNU grep/.test(
  spawnSync("grep", ["--version"], { encoding: "utf8" }).stdout ?? "",
)
  ? null
  : "needs GNU grep: apt install grep";

/** `undecided`: grep was still at it after JUDGE_TIMEOUT_MS; back-references can cost it exponential time. */
export type Judgement =
  | { readonly refused: string }
  | { readonly matching: ReadonlySet<number> }
  | { readonly undecided: true };

const JUDGE_TIMEOUT_MS = 120_000;

/** `grep -E --text` on the lines; `matching` holds the indices of the lines it prints. */
export function judge(
  patterns: readonly Uint8Array[],
  lines: readonly Uint8Array[],
  options: { locale: Locale; ignoreCase?: boolean },
): Judgement {
  const folder = mkdtempSync(join(tmpdir(), "tt-grep-"));
  try {
    const file = join(folder, "patterns");
    writeFileSync(file, joinLines(patterns));
    const input = join(folder, "lines");
    writeFileSync(input, joinLines(lines));
    const args = ["-E", "--text", "-n", ...(options.ignoreCase ? ["-i"] : []), "-f", file, input];
    const done = spawnSync("grep", args, {
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: options.locale },
      maxBuffer: 1 << 28,
      timeout: JUDGE_TIMEOUT_MS,
    });
    if (done.signal === "SIGTERM") return { undecided: true };
    if (done.error !== undefined) throw done.error;
    if (done.status === 2) return { refused: done.stderr.toString() };
    const matching = new Set<number>();
    for (let at = 0; at < done.stdout.length; ) {
      const colon = done.stdout.indexOf(0x3a, at);
      matching.add(Number(done.stdout.toString("latin1", at, colon)) - 1);
      at = done.stdout.indexOf(0x0a, colon) + 1;
    }
    return { matching };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each line with its newline. */
export function joinLines(lines: readonly Uint8Array[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]));
}
