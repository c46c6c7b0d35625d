// Which log fills the disk: how fast each grew since the look before, so that an alarm can name the one that matters while
// something can still be done about it.
import type { LogFact } from "./plan.ts";

export type Fastest = {
  readonly path: string;
  readonly bytesPerSecond: number;
  /** Who has it open for writing, as "name[pid]"; null when nobody was seen. */
  readonly writer: string | null;
};

// Between two looks that are nearer than this, a single write would be a pace.
const LEAST_MS = 20;

/** Remembers the sizes of one look; logs that are gone at the next are forgotten. */
export class Paces {
  #before = new Map<string, number>();
  #atMs = 0;
  #fastest: Fastest | null = null;

  /** @returns the log that grew fastest since the look before, or null when none grew */
  look(logs: readonly LogFact[], nowMs: number): Fastest | null {
    const tookMs = nowMs - this.#atMs;
    if (this.#before.size > 0 && tookMs < LEAST_MS) return this.#fastest;
    this.#fastest = null;
    for (const { path, sizeBytes, writer } of logs) {
      const before = this.#before.get(path);
      // A log that was rotated since begins anew.
      const grown = before === undefined ? 0 : sizeBytes < before ? sizeBytes : sizeBytes - before;
      const bytesPerSecond = (grown / tookMs) * 1_000;
      if (bytesPerSecond > (this.#fastest?.bytesPerSecond ?? 0))
        this.#fastest = { path, bytesPerSecond, writer };
    }
    this.#before = new Map(logs.map(({ path, sizeBytes }) => [path, sizeBytes]));
    this.#atMs = nowMs;
    return this.#fastest;
  }
}
