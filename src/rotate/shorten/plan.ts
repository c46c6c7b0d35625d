// Shortens the way of the generation that goes. A plan moves it out of the range first and removes it last, so that a script that
// fails in between loses nothing. Where no script can, the generation below may as well take its place: two changes of the
// directory less for each log, and the same files in the end. Pure.
import type { LogPlan, RotationStep } from "../types.ts";

type Rename = Extract<RotationStep, { do: "rename" }>;

/**
 * The plan, with the last generation replaced by its successor in place of being moved and removed; or the very plan, where
 * that would not come to the same.
 */
export function shortened(plan: LogPlan): LogPlan {
  const { before, rotate, after } = plan;
  const last = after.at(-1);
  if (plan.stepByStep || plan.stanza.shared || plan.prerotate !== null || plan.postrotate !== null)
    return plan;
  if (last?.do !== "remove" || last.shred !== null || !after.slice(0, -1).every(isPlainCompression))
    return plan;
  const at = before.findIndex((step) => step.do === "rename");
  const away = before[at];
  const into = before[at + 1] ?? rotate[0];
  if (away?.do !== "rename" || away.to !== last.path || into?.do !== "rename" || into.to !== away.from)
    return plan;
  if (!before.every((step) => isRename(step) || isPlainCompression(step))) return plan;
  if (before.slice(0, at).some((step) => touches(step, away))) return plan;
  return { ...plan, before: before.filter((step) => step !== away), after: after.slice(0, -1) };
}

function isRename(step: RotationStep): step is Rename {
  return step.do === "rename";
}

function isPlainCompression(step: RotationStep): boolean {
  return step.do === "compress" && step.preremove === null;
}

function touches(step: RotationStep, { from, to }: Rename): boolean {
  const paths = "from" in step ? [step.from, step.to] : "path" in step ? [step.path] : [];
  return paths.includes(from) || paths.includes(to);
}
