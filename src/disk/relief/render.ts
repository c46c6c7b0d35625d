// The plan for a file system as a person reads it. Pure.
import { showable } from "../../core/hostile.ts";
import type { ReliefPlan, ReliefStep } from "./plan.ts";

const VERDICTS: Readonly<Record<ReliefPlan["verdict"], string>> = {
  calm: "nothing to do",
  ahead: "about to cross a limit",
  pressed: "over a limit",
  urgent: "nearly full",
};

/** Several lines, ending in a newline. */
export function renderRelief(plan: ReliefPlan, formatBytes: (bytes: number) => string): string {
  const head = `${showable(plan.mount)}: ${VERDICTS[plan.verdict]}`;
  if (plan.verdict === "calm") return `${head}\n`;
  const need = `${head}: ${plan.why}; ${formatBytes(plan.neededBytes)} needed, about ${formatBytes(plan.expectedBytes)} from:\n`;
  const steps = plan.steps.map((step) => `    ${stepText(step, formatBytes)}\n`);
  const alarm = plan.alarm ? "    alarm    that will not do: somebody has to look\n" : "";
  return `${need}${steps.join("")}${alarm}`;
}

function stepText(step: ReliefStep, formatBytes: (bytes: number) => string): string {
  const path = step.do === "rotate" ? step.log : step.file.path;
  const size = step.do === "rotate" ? step.sizeBytes : step.file.sizeBytes;
  return `${step.do.padEnd(8)} ${showable(path)} (${formatBytes(size)})`;
}

/** The stages of a plan in words, for the announcement. */
export function renderStages({ steps, verdict }: ReliefPlan): string {
  const count = (what: ReliefStep["do"]) => steps.filter((step) => step.do === what).length;
  const words = [
    count("compress") > 0 ? `compressing ${count("compress")}` : "",
    count("rotate") > 0 ? `rotating ${count("rotate")}` : "",
    count("remove") > 0 ? `removing ${count("remove")} of the oldest` : "",
  ].filter((word) => word !== "");
  if (words.length === 0) return "nothing that may be touched would help";
  return `${verdict === "urgent" ? "at once: " : ""}${words.join(", ")}`;
}
