// The blocks this guard believes in force, with the moment each ends. Bounded by the circuit breaker; ends are kept by
// second so that a tick touches only what is due.
import { familyOf, formatPrefix, type Prefix, prefixOf } from "../core/address.ts";
import type { BlockRow } from "./types.ts";

export type StandingBlock = {
  readonly row: BlockRow;
  readonly target: Prefix;
  /** On the monotonic clock: setting the wall clock neither shortens nor prolongs a block. */
  readonly endMs: number;
};

export class StandingBlocks {
  readonly #byTarget = new Map<string, StandingBlock>();
  readonly #bySecond = new Map<number, Set<string>>();
  // How many blocks there are of each prefix length, so that a lookup tries only those.
  readonly #lengths = new Map<string, number>();
  #sweptTo: number | undefined;

  get size(): number {
    return this.#byTarget.size;
  }

  [Symbol.iterator](): Iterator<StandingBlock> {
    return this.#byTarget.values();
  }

  /** @param target what `row.target` says, read already */
  set(row: BlockRow, target: Prefix, endMs: number): void {
    const key = formatPrefix(target);
    this.delete(key);
    this.#byTarget.set(key, { row, target, endMs });
    const second = Math.ceil(endMs / 1_000);
    let due = this.#bySecond.get(second);
    if (due === undefined) this.#bySecond.set(second, (due = new Set()));
    due.add(key);
    this.#sweptTo = Math.min(this.#sweptTo ?? second, second);
    const length = lengthKey(target);
    this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1);
  }

  get(target: Prefix): StandingBlock | null {
    return this.#byTarget.get(formatPrefix(target)) ?? null;
  }

  /** The narrowest block that covers the address or the whole prefix. */
  covering(target: Prefix): StandingBlock | null {
    const family = familyOf(target.base);
    for (let bits = target.bits; bits >= 0; bits--) {
      if (!this.#lengths.has(`${family}/${bits}`)) continue;
      const found = this.get(prefixOf(target.base, bits));
      if (found !== null) return found;
    }
    return null;
  }

  delete(target: string): boolean {
    const block = this.#byTarget.get(target);
    if (block === undefined) return false;
    this.#byTarget.delete(target);
    const second = Math.ceil(block.endMs / 1_000);
    const due = this.#bySecond.get(second);
    due?.delete(target);
    if (due?.size === 0) this.#bySecond.delete(second);
    const length = lengthKey(block.target);
    const left = (this.#lengths.get(length) ?? 1) - 1;
    if (left > 0) this.#lengths.set(length, left);
    else this.#lengths.delete(length);
    return true;
  }

  clear(): void {
    this.#byTarget.clear();
    this.#bySecond.clear();
    this.#lengths.clear();
    this.#sweptTo = undefined;
  }

  /** Blocks whose time is over, at most `limit`; they stay until they are deleted. */
  due(nowMs: number, limit: number): StandingBlock[] {
    const out: StandingBlock[] = [];
    if (this.#sweptTo === undefined) return out;
    const now = Math.floor(nowMs / 1_000);
    // Seconds without a block are skipped for good; one that still holds blocks is where the next sweep begins.
    for (let second = this.#sweptTo; second <= now; second++) {
      for (const key of this.#bySecond.get(second) ?? []) {
        if (out.length === limit) return out;
        out.push(this.#byTarget.get(key)!);
      }
      if (!this.#bySecond.has(second) && second === this.#sweptTo) this.#sweptTo = second + 1;
    }
    return out;
  }
}

function lengthKey(target: Prefix): string {
  return `${familyOf(target.base)}/${target.bits}`;
}
