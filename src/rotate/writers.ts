// What to say of the processes that write the logs of a rotation: a writer that would leave a hole after copytruncate is
// noticed before.
import { type OpenFile, openForWriting } from "../sys/open-files.ts";
import type { LogPlan } from "./types.ts";

export { openForWriting };

/** `apache2 (pid 123)`. */
export function formatWriter(writer: Pick<OpenFile, "name" | "pid">): string {
  return `${writer.name} (pid ${writer.pid})`;
}

/**
 * For logs about to be emptied in place: those whose writer keeps its own offset, and would go on writing at it, leaving
 * a hole of zeros where the old lines were. Log → what to say.
 */
export function holeWarnings(plans: readonly Pick<LogPlan, "log" | "seen">[]): Map<string, string> {
  const logs = new Map(plans.map((plan) => [plan.log, plan]));
  const warnings = new Map<string, string>();
  for (const writer of openForWriting((path) => logs.has(path))) {
    const seen = logs.get(writer.path)?.seen;
    if (writer.append || seen?.ino !== writer.ino || seen.dev !== writer.dev) continue;
    const warning = `${formatWriter(writer)} writes without O_APPEND: after copytruncate it leaves a hole; have it reopen its log instead (create, postrotate)`;
    warnings.set(writer.path, warning);
  }
  return warnings;
}
