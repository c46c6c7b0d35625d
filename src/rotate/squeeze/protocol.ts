// What the rotation and the threads that compress for it say to each other. How far a batch has come stands in shared memory, so
// that it is known also of a thread that died over it.
import type { SqueezeJob } from "./squeeze.ts";

/** States of one job in `Batch.states`. */
export const STATE = { waiting: 0, begun: 1, done: 2, failed: 3 } as const;

export type Batch = {
  readonly jobs: readonly SqueezeJob[];
  /** One state for each job. */
  readonly states: Int32Array<SharedArrayBuffer>;
};

/** The end of a batch: which jobs failed, and why. */
export type BatchEnd = { readonly failures: readonly { readonly index: number; readonly why: string }[] };

/** Shared by the rotation and all its threads. */
export type Shared = {
  /** Not 0: stop at the next piece. */
  readonly halt: Int32Array<SharedArrayBuffer>;
  /** Bytes read from files so far, of all threads. */
  readonly bytes: BigInt64Array<SharedArrayBuffer>;
};

/** The words of a compression that was stopped. */
export const HALTED = "stopped before it was done";
