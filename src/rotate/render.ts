// Shows plans to people: for each log why or why not, each thing that would happen, and the bytes it frees.
import { showable } from "../core/hostile.ts";
import type { LogPlan, RotationStep, ScriptStep } from "./types.ts";

/** `950 B`, `4.2 KiB`, `1.0 GiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let size = bytes;
  let unit = -1;
  do {
    size /= 1024;
    unit++;
  } while (size >= 1024 && unit < units.length - 1);
  return `${size.toFixed(1)} ${units[unit]}`;
}

/**
 * Plans as text, one block for each log, lines folded to `width` columns. Logs that are not due take one line.
 */
export function renderPlans(plans: readonly LogPlan[], width: number): string {
  const lines: string[] = [];
  for (const [i, plan] of plans.entries()) {
    const neighbours = { before: plans[i - 1], after: plans[i + 1] };
    lines.push(...renderPlan(plan, isFirst(plan, neighbours.before), isLast(plan, neighbours.after)));
  }
  const count = (verdict: LogPlan["verdict"]): number =>
    plans.filter((plan) => plan.verdict === verdict).length;
  const freed = plans.reduce((sum, plan) => sum + plan.bytesFreed, 0);
  lines.push(
    `${plans.length} ${plans.length === 1 ? "log" : "logs"}: ${count("rotate")} to rotate, ${count("skip")} not due, ${count("fail")} in trouble; ${formatBytes(freed)} freed, before compression`,
  );
  return `${lines.flatMap((line) => fold(line, Math.max(40, width))).join("\n")}\n`;
}

function isFirst(plan: LogPlan, before: LogPlan | undefined): boolean {
  return before === undefined || before.stanza.id !== plan.stanza.id;
}

function isLast(plan: LogPlan, after: LogPlan | undefined): boolean {
  return after === undefined || after.stanza.id !== plan.stanza.id;
}

const MARK: Readonly<Record<LogPlan["verdict"], string>> = {
  rotate: "rotate",
  skip: "  --  ",
  fail: " FAIL ",
};

function renderPlan(plan: LogPlan, first: boolean, last: boolean): string[] {
  const lines: string[] = [];
  const { stanza } = plan;
  if (first) {
    const as = stanza.su === null ? "" : `, as user ${stanza.su.uid} group ${stanza.su.gid}`;
    lines.push(`${stanza.place.file}:${stanza.place.line}${as}`);
    if (stanza.firstaction !== null)
      lines.push(`  once, if any log rotates: ${renderScript(stanza.firstaction)}`);
    if (stanza.prerotate !== null) lines.push(`  once, before: ${renderScript(stanza.prerotate)}`);
  }
  lines.push(`  ${MARK[plan.verdict]} ${showable(plan.log)}: ${showable(plan.why)}`);
  if (plan.verdict === "fail") lines.push(`         mend: ${showable(plan.mend)}`);
  if (plan.verdict === "rotate") {
    const steps: RotationStep[] = [
      ...plan.before,
      ...(plan.prerotate === null ? [] : [plan.prerotate]),
      ...plan.rotate,
      ...(plan.postrotate === null ? [] : [plan.postrotate]),
      ...plan.after,
    ];
    for (const step of steps) lines.push(`         ${renderStep(step)}`);
    if (plan.bytesFreed > 0) lines.push(`         frees ${formatBytes(plan.bytesFreed)}`);
  }
  if (last && stanza.postrotate !== null) lines.push(`  once, after: ${renderScript(stanza.postrotate)}`);
  if (last && stanza.lastaction !== null)
    lines.push(`  once, at the end: ${renderScript(stanza.lastaction)}`);
  return lines;
}

/** One step in words. */
export function renderStep(step: RotationStep): string {
  switch (step.do) {
    case "script":
      return `run ${renderScript(step)}`;
    case "mkdir":
      return `make directory ${showable(step.path)}`;
    case "compress": {
      const command = [step.with.command, ...step.with.options].join(" ");
      return `compress ${showable(step.from)} (${formatBytes(step.sizeBytes)}) to ${showable(step.to)} with ${showable(command)}`;
    }
    case "rename":
      return `rename ${showable(step.from)} to ${showable(step.to)}`;
    case "remove": {
      const how = step.shred === null ? "remove" : "shred and remove";
      const why = step.because === "maxage" ? "older than maxage" : "past the last generation";
      return `${how} ${showable(step.path)} (${formatBytes(step.sizeBytes)}): ${why}`;
    }
    case "create":
      return `create ${showable(step.path)} mode ${step.mode.toString(8).padStart(4, "0")} owner ${step.uid} group ${step.gid}`;
    case "copy":
      return `copy ${showable(step.from)} (${formatBytes(step.sizeBytes)}) to ${showable(step.to)}${step.truncate ? " and empty it" : ""}`;
    case "truncate":
      return `empty ${showable(step.path)}`;
    case "unlink":
      return `remove ${showable(step.path)}`;
    case "mail":
      return `mail ${showable(step.path)} to ${showable(step.to)}`;
  }
}

function renderScript(step: ScriptStep): string {
  const lines = step.script.text.split("\n").map((line) => line.trim());
  const said = lines.filter((line) => line !== "" && !line.startsWith("#"));
  const more = said.length > 1 ? ` … (${said.length} lines)` : "";
  const { file, line } = step.script.place;
  return `${step.name} script ${file}:${line}: ${showable(said[0] ?? "(empty)")}${more}`;
}

// Breaks a long line at blanks, with what follows further in; a word longer than the width stays whole.
function fold(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const indent = `${/^ */.exec(line)![0]}    `;
  const out: string[] = [];
  let present = "";
  for (const word of line.trimStart().split(" ")) {
    const start = out.length === 0 ? /^ */.exec(line)![0] : indent;
    const next = present === "" ? start + word : `${present} ${word}`;
    if (next.length > width && present !== "") {
      out.push(present);
      present = indent + word;
    } else present = next;
  }
  out.push(present);
  return out;
}
