// logcheck-test's command line: shows which lines of a log a rule, or a file of rules, matches.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { trimmedEnd } from "../check/blanks/match.ts";
import { LineSplitter, type LineTaker } from "../check/lines.ts";
import { localeOf } from "../check/locale.ts";
import { Trial } from "../check/trial.ts";
import type { Locale } from "../check/types.ts";
import { describeError } from "../core/errors.ts";
import {
  LOGCHECK_TEST_USAGE,
  type LogcheckTestRequest,
  readLogcheckTestOptions,
} from "./logcheck-test-options.ts";
import { BlockWriter, type FaceOutput, standardOutput } from "./output.ts";

/** The face's door. */
export async function main(argv: readonly string[]): Promise<number> {
  return runLogcheckTest(argv, standardOutput, process.env);
}

/**
 * Runs `logcheck-test [-q|-i] [-a|-s|-l FILE] [-e] [-P PREFIX] [-S SUFFIX] RULE` or `… -r RULEFILE`.
 * @returns 0 when a line was shown, 1 when none was or a rule does not compile, and logcheck-test's own numbers from 2
 *   to 16 for a command line that asks for nothing it can do
 */
export function runLogcheckTest(
  args: readonly string[],
  output: FaceOutput,
  env: Readonly<Record<string, string | undefined>>,
): number {
  const asked = readLogcheckTestOptions(args);
  if ("status" in asked) {
    if (asked.status === 0) output.out(Buffer.from(LOGCHECK_TEST_USAGE));
    else output.err(`ERROR: ${asked.message}\n${LOGCHECK_TEST_USAGE}`);
    return asked.status;
  }
  for (const option of asked.ignored) output.err(`WARNING: a log is chosen already, ${option} is ignored\n`);
  const locale = localeOf(env);
  try {
    const shown = run(asked, locale, output);
    if (!asked.quiet) {
      const rules =
        asked.ruleFile === "" ? `used rule: '${asked.rule}'` : `used rule file: ${asked.ruleFile}`;
      output.out(Buffer.from(`${"=".repeat(80)}\nparsed file: ${asked.log}\n${rules}\n`));
    }
    return shown ? 0 : 1;
  } catch (error) {
    output.err(`ERROR: ${describeError(error)}\n`);
    return 1;
  }
}

function run(asked: LogcheckTestRequest, locale: Locale, output: FaceOutput): boolean {
  const trial =
    asked.ruleFile === ""
      ? Trial.ofRule(asked.rule, locale)
      : Trial.ofFile(readFileSync(asked.ruleFile), asked.ruleFile, locale);
  for (const { line, position, reason, mend } of trial.faults) {
    const place = line === 0 ? "rule" : `${asked.ruleFile}:${line}`;
    output.err(`ERROR: ${place}: ${reason} at byte ${position + 1}\n    mend: ${mend}\n`);
  }
  // grep shows nothing at all when one of its patterns is none.
  if (trial.faults.length > 0) return false;
  let shown = false;
  const writer = new BlockWriter(output.out);
  readLog(asked.log, (bytes, start, end) => {
    if (trial.matches(bytes, start, end) === asked.invert) return;
    shown = true;
    writer.addLine(bytes, start, trimmedEnd(bytes, start, end, locale));
  });
  writer.flush();
  return shown;
}

const CHUNK_BYTES = 1 << 18;

// A log may be a pipe, and larger than memory.
function readLog(path: string, take: LineTaker): void {
  const splitter = new LineSplitter(take);
  const chunk = new Uint8Array(CHUNK_BYTES);
  const fd = openSync(path, "r");
  try {
    for (let got = 1; got > 0; ) {
      got = readSync(fd, chunk, 0, CHUNK_BYTES, null);
      splitter.write(chunk.subarray(0, got));
    }
    splitter.end();
  } finally {
    closeSync(fd);
  }
}
