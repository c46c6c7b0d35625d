// Carries out the plan for a file system, step by step, and tells of each. How a file is compressed, a log rotated, a generation
// removed is handed in: rotation knows that.

import { describeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { GenerationFact, ReliefPlan, ReliefStep } from "./relief/plan.ts";
import { renderStages } from "./relief/render.ts";

export type Hands = {
  /** Compresses a generation, and returns where to and how many bytes came out. */
  compress(file: GenerationFact): Promise<{ to: string; sizeBytes: number }>;
  /** Rotates a log out of turn; what happens is told by the rotation itself. Returns whether it was rotated. */
  rotate(log: string): Promise<boolean>;
  /** Removes a generation, if it still is the one that was planned. Throws when it is not, or when its owner's script forbids it. */
  remove(file: GenerationFact): Promise<void>;
};

/** What came of a plan. */
export type Carried = {
  /** Bytes that compressing and removing freed. */
  readonly freed: number;
  /** Paths with which nothing could be done. */
  readonly failed: readonly string[];
};

/** Does what the plan says; one step's failure is an event, and the next is tried. */
export async function carryOut(plan: ReliefPlan, hands: Hands, emit: Emit): Promise<Carried> {
  let freed = 0;
  const failed: string[] = [];
  for (const step of plan.steps) {
    const path = step.do === "rotate" ? step.log : step.file.path;
    try {
      const bytes = await doStep(step, hands, emit);
      if (bytes === null) failed.push(path);
      else freed += bytes;
    } catch (error) {
      failed.push(path);
      const why = `${step.do} to make room on ${plan.mount}: ${describeError(error)}`;
      emit({ type: "rotation.failed", log: path, why, mend: "see telltale disk --plan" });
    }
  }
  return { freed, failed };
}

// Bytes that were freed; null when nothing was done, which the rotation has told.
async function doStep(step: ReliefStep, hands: Hands, emit: Emit): Promise<number | null> {
  const { because } = step;
  if (step.do === "rotate") {
    return (await hands.rotate(step.log)) ? 0 : null;
  }
  const { path, sizeBytes, diskBytes } = step.file;
  if (step.do === "remove") {
    await hands.remove(step.file);
    emit({ type: "log.pruned", path, sizeBytes, because });
    return diskBytes;
  }
  const made = await hands.compress(step.file);
  emit({ type: "log.compressed", path, to: made.to, sizeBytes, toBytes: made.sizeBytes, because });
  return Math.max(0, diskBytes - made.sizeBytes);
}

/** Says what is about to be done, before it is. */
export function announce(plan: ReliefPlan, sizeBytes: number, freeBytes: number, emit: Emit): void {
  const { mount, why } = plan;
  emit({ type: "disk.pressed", mount, freeBytes, sizeBytes, why, stages: renderStages(plan) });
}
