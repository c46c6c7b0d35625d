// Carries out the plan for a file system, step by step, and tells of each. How a file is compressed, a log rotated, a generation
// removed is handed in: rotation knows that.

import { describeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { GenerationFact, ReliefPlan, ReliefStep } from "./relief/plan.ts";
import { renderStages } from "./relief/render.ts";

export type Hands = {
  /** Compresses a generation, and returns where to and how many bytes came out. */
  compress(file: GenerationFact): Promise<{ to: string; sizeBytes: number }>;
  /** Rotates a log out of turn; what happens is told by the rotation itself. */
  rotate(log: string): Promise<void>;
  /** Removes a generation, if it still is the one that was planned. Throws when it is not. */
  remove(file: GenerationFact): void;
};

/**
 * Does what the plan says; one step's failure is an event, and the next is tried.
 * @returns bytes that compressing and removing freed
 */
export async function carryOut(plan: ReliefPlan, hands: Hands, emit: Emit): Promise<number> {
  let freed = 0;
  for (const step of plan.steps) {
    try {
      freed += await doStep(step, hands, emit);
    } catch (error) {
      const path = step.do === "rotate" ? step.log : step.file.path;
      const why = `${step.do} to make room on ${plan.mount}: ${describeError(error)}`;
      emit({ type: "rotation.failed", log: path, why, mend: "see telltale disk --plan" });
    }
  }
  return freed;
}

async function doStep(step: ReliefStep, hands: Hands, emit: Emit): Promise<number> {
  const { because } = step;
  if (step.do === "rotate") {
    await hands.rotate(step.log);
    return 0;
  }
  const { path, sizeBytes, diskBytes } = step.file;
  if (step.do === "remove") {
    hands.remove(step.file);
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
