// One rule on trial: which lines it would match.

import { Trial } from "../../check/trial.ts";
import { showable, showableBytes } from "../../core/hostile.ts";
import { readLog, sayUnreadable } from "../read-log.ts";

/** Prints the lines of the logs that the rule matches. Returns 0 when there was one, 1 when not. */
export async function testRule(rule: string, logs: readonly string[], json: boolean): Promise<number> {
  const trial = Trial.ofRule(rule, "C.UTF-8");
  for (const { position, reason, mend } of trial.faults) {
    process.stderr.write(
      `telltale check test: ${showable(reason)} at byte ${position + 1} of the rule\n    mend: ${showable(mend)}\n`,
    );
  }
  if (trial.faults.length > 0) return 1;
  let matched = 0;
  let read = 0;
  for (const log of logs) {
    try {
      await readLog(log, (bytes, start, end) => {
        read++;
        if (!trial.matches(bytes, start, end)) return;
        matched++;
        const line = showableBytes(bytes.subarray(start, end));
        process.stdout.write(json ? `${JSON.stringify({ log, line })}\n` : `${line}\n`);
      });
    } catch (error) {
      sayUnreadable("telltale check test", log, error);
    }
  }
  process.stderr.write(`${matched.toLocaleString("en")} of ${read.toLocaleString("en")} lines match.\n`);
  return matched > 0 ? 0 : 1;
}
