// One thread that compresses: takes a batch of open files, does one after the other, and reports. It opens and names no file, for
// rights and directories are the rotation's business, and yields the processor to everything else.
import { constants, setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { describeError } from "../../core/errors.ts";
import { type Batch, type BatchEnd, HALTED, type Shared, STATE } from "./protocol.ts";
import { squeezeFile } from "./squeeze.ts";

const { halt, bytes } = workerData as Shared;

try {
  // In Linux a priority is a thread's: 0 is the thread that asks (setpriority(2), C library/kernel differences).
  setPriority(0, constants.priority.PRIORITY_LOW);
} catch {
  // It may not be reniced here: it does its work all the same.
}

const betweenPieces = (count: number): void => {
  Atomics.add(bytes, 0, BigInt(count));
  if (Atomics.load(halt, 0) !== 0) throw new Error(HALTED);
};

parentPort?.on("message", ({ jobs, states }: Batch) => {
  const failures: { index: number; why: string }[] = [];
  for (const [index, job] of jobs.entries()) {
    Atomics.store(states, index, STATE.begun);
    try {
      squeezeFile(job, betweenPieces);
      Atomics.store(states, index, STATE.done);
    } catch (error) {
      Atomics.store(states, index, STATE.failed);
      failures.push({ index, why: describeError(error) });
    }
  }
  parentPort?.postMessage({ failures } satisfies BatchEnd);
});
