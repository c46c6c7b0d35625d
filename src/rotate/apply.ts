// Compares a plan somebody approved with the plan that would be made now. Equal but for what a living log changes by
// itself (its size, its times), it may be walked; otherwise the difference is named and nothing is done.
import type { LogPlan } from "./types.ts";

// What differs between two looks at an untouched configuration: a log grows, and reasons tell sizes and times.
const LIVING = new Set([
  "sizeBytes",
  "mtimeMs",
  "atimeMs",
  "ctimeMs",
  "bytesFreed",
  "why",
  "lastRotated",
  "times",
]);

/** One log whose approved plan is no longer what would be done. */
export type PlanDifference = { readonly log: string; readonly what: string };

/** The logs that an approved plan rotates; null when the text is no plan. One plan a line, as `--plan --json` prints. */
export function readPlans(text: string): LogPlan[] | null {
  const plans: LogPlan[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    let plan: unknown;
    try {
      plan = JSON.parse(line);
    } catch {
      return null; // Said by the null: the caller names the file.
    }
    if (!isPlan(plan)) return null;
    if (plan.verdict === "rotate") plans.push(plan);
  }
  return plans;
}

/** What stands between the approved plans and those made now; empty when they are the same. */
export function differences(approved: readonly LogPlan[], now: readonly LogPlan[]): PlanDifference[] {
  const out: PlanDifference[] = [];
  for (const plan of approved) {
    const fresh = now.find(
      (each) => each.log === plan.log && each.stanza.place.file === plan.stanza.place.file,
    );
    if (fresh === undefined)
      out.push({ log: plan.log, what: "no stanza of the configuration names it any more" });
    else if (fresh.verdict !== "rotate")
      out.push({ log: plan.log, what: `it would not be rotated now: ${fresh.why}` });
    else {
      const path = firstDifference(plan, fresh, "");
      if (path !== null) out.push({ log: plan.log, what: path });
    }
  }
  return out;
}

function firstDifference(approved: unknown, fresh: unknown, at: string): string | null {
  if (isObject(approved) && isObject(fresh)) {
    for (const key of new Set([...Object.keys(approved), ...Object.keys(fresh)])) {
      if (LIVING.has(key)) continue;
      const found = firstDifference(approved[key], fresh[key], at === "" ? key : `${at}.${key}`);
      if (found !== null) return found;
    }
    return null;
  }
  // A value that JSON leaves out and one that is undefined are the same.
  if ((approved ?? null) === (fresh ?? null)) return null;
  return `${at} was ${JSON.stringify(approved)} and is now ${JSON.stringify(fresh)}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isPlan(value: unknown): value is LogPlan {
  return (
    isObject(value) &&
    typeof value["log"] === "string" &&
    typeof value["verdict"] === "string" &&
    isObject(value["stanza"]) &&
    isObject(value["stanza"]["place"])
  );
}
