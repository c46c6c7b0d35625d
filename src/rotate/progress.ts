// How far a run is, for whoever wants to show it: counts that the run keeps and anybody may read at any moment.
import type { LogPlan } from "./types.ts";

export class RotationProgress {
  /** Logs that this run looks at. */
  logs = 0;
  /** Logs that have been looked at, and moved where they were due. */
  logsDone = 0;
  /** Bytes that are to be compressed, of the logs looked at so far. */
  bytesToCompress = 0;
  #compressedByCommands = 0;
  #compressedHere: () => number = () => 0;

  /** Bytes that have been compressed. */
  get bytesCompressed(): number {
    return this.#compressedByCommands + this.#compressedHere();
  }

  /** Begins to count a run. @param compressedHere how many bytes our own compressors have read */
  begin(logs: number, compressedHere: () => number): void {
    this.logs = logs;
    this.#compressedHere = compressedHere;
  }

  /** These plans are about to be carried out. */
  planned(plans: readonly LogPlan[]): void {
    for (const { before, after } of plans)
      for (const step of [...before, ...after])
        if (step.do === "compress") this.bytesToCompress += step.sizeBytes;
  }

  /** So many logs have been looked at, and moved where they were due. */
  walked(logs: number): void {
    this.logsDone += logs;
  }

  /** The administrator's command has compressed so many bytes. */
  compressedByCommand(bytes: number): void {
    this.#compressedByCommands += bytes;
  }
}
