// Remembers who was only watched where it would have been slowed down, so that the next finding is not the first again.
import { formatPrefix, type Prefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";

// Forged sources could fill it; whoever is pushed out is let off once more, which costs one scan.
const MAX_TARGETS = 8_192;

export class LetOff {
  readonly #forgetMs: number;
  readonly #clock: Clock;
  readonly #atMs = new Map<string, number>();

  constructor(forgetMs: number, clock: Clock) {
    this.#forgetMs = forgetMs;
    this.#clock = clock;
  }

  add(target: Prefix): void {
    const key = formatPrefix(target);
    this.#atMs.delete(key);
    this.#atMs.set(key, this.#clock.monotonicMs());
    if (this.#atMs.size <= MAX_TARGETS) return;
    for (const oldest of this.#atMs.keys()) {
      this.#atMs.delete(oldest);
      return;
    }
  }

  has(target: Prefix): boolean {
    const atMs = this.#atMs.get(formatPrefix(target));
    return atMs !== undefined && this.#clock.monotonicMs() - atMs < this.#forgetMs;
  }
}
