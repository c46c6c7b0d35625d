// The blocks this guard believes in force, with the moment each ends. Bounded by the circuit breaker, and still a hundred
// thousand may be handed out to a host of 512 MB: they lie in columns, and what they are for is left to the history. Ends are
// kept by second, so that a tick touches only what is due.
import { type Address, familyOf, formatPrefix, type Prefix, prefixOf } from "../core/address.ts";
import type { EvidenceGrade } from "../core/events.ts";

export type StandingBlock = {
  readonly target: Prefix;
  /** On the monotonic clock: setting the wall clock neither shortens nor prolongs a block. */
  readonly endMs: number;
  /** By the wall clock, as the history has them, in milliseconds of the epoch. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly grade: EvidenceGrade;
  readonly throttled: boolean;
  /** Packets stopped before this guard came to know the block. */
  readonly packetsStopped: number;
};

const FIRST_SLOTS = 64;
const NONE = -1;
const PROVEN = 1;
const THROTTLED = 2;

export class StandingBlocks {
  readonly #slots = new Map<string, number>();
  // By slot: the target, and what is said of it.
  #targets: string[] = [];
  #endMs = new Float64Array(FIRST_SLOTS);
  #sinceMs = new Float64Array(FIRST_SLOTS);
  #untilMs = new Float64Array(FIRST_SLOTS);
  #packets = new Float64Array(FIRST_SLOTS);
  #flags = new Uint8Array(FIRST_SLOTS);
  // The last round in which the block was set or met.
  #met = new Uint32Array(FIRST_SLOTS);
  #round = 0;
  // The blocks that end within one second hang together in both directions; those of no block are a list of their own.
  #next = new Int32Array(FIRST_SLOTS);
  #before = new Int32Array(FIRST_SLOTS);
  #free = NONE;
  readonly #bySecond = new Map<number, number>();
  // How many blocks there are of each prefix length, so that a lookup tries only those.
  readonly #lengths = new Map<string, number>();
  #sweptTo: number | undefined;

  get size(): number {
    return this.#slots.size;
  }

  /** Blocks that come or go meanwhile are met or not; no other is left out. */
  *[Symbol.iterator](): Iterator<StandingBlock> {
    for (const slot of this.#slots.values()) yield this.#at(slot);
  }

  set(block: StandingBlock): void {
    const key = formatPrefix(block.target);
    this.delete(key);
    const slot = this.#take();
    this.#slots.set(key, slot);
    this.#targets[slot] = key;
    this.#endMs[slot] = block.endMs;
    this.#sinceMs[slot] = block.sinceMs;
    this.#untilMs[slot] = block.untilMs;
    this.#packets[slot] = block.packetsStopped;
    this.#flags[slot] = (block.grade === "proven" ? PROVEN : 0) | (block.throttled ? THROTTLED : 0);
    this.#met[slot] = this.#round;
    this.#hang(slot);
    const length = lengthKey(block.target);
    this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1);
  }

  get(target: Prefix): StandingBlock | null {
    const slot = this.#slots.get(formatPrefix(target));
    return slot === undefined ? null : this.#at(slot);
  }

  has(target: Prefix): boolean {
    return this.knows(formatPrefix(target));
  }

  /** @param target as `formatPrefix` writes it */
  knows(target: string): boolean {
    return this.#slots.has(target);
  }

  /**
   * Begins to note which blocks are set or met, while a long list is compared with them page by page.
   * @returns what `unmet` wants to be told
   */
  beginRound(): number {
    return ++this.#round;
  }

  /** Notes that this block was met; returns it, or null when there is none. @param target as `formatPrefix` writes it */
  meet(target: string): StandingBlock | null {
    const slot = this.#slots.get(target);
    if (slot === undefined) return null;
    this.#met[slot] = this.#round;
    return this.#at(slot);
  }

  /** The targets, as text, of those that were neither set nor met since that round began. */
  unmet(round: number): string[] {
    const out: string[] = [];
    for (const [target, slot] of this.#slots) if (this.#met[slot]! < round) out.push(target);
    return out;
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

  /** @param target as `formatPrefix` writes it */
  delete(target: string): boolean {
    const slot = this.#slots.get(target);
    if (slot === undefined) return false;
    this.#slots.delete(target);
    this.#unhang(slot);
    const length = lengthKey(prefixNamed(target));
    const left = (this.#lengths.get(length) ?? 1) - 1;
    if (left > 0) this.#lengths.set(length, left);
    else this.#lengths.delete(length);
    this.#targets[slot] = "";
    this.#next[slot] = this.#free;
    this.#free = slot;
    return true;
  }

  /** Blocks whose time is over, at most `limit`; they stay until they are deleted. */
  due(nowMs: number, limit: number): StandingBlock[] {
    const out: StandingBlock[] = [];
    if (this.#sweptTo === undefined) return out;
    const now = Math.floor(nowMs / 1_000);
    // Seconds without a block are skipped for good; one that still holds blocks is where the next sweep begins.
    for (let second = this.#sweptTo; second <= now; second++) {
      for (let slot = this.#bySecond.get(second) ?? NONE; slot !== NONE; slot = this.#next[slot]!) {
        if (out.length === limit) return out;
        out.push(this.#at(slot));
      }
      if (!this.#bySecond.has(second) && second === this.#sweptTo) this.#sweptTo = second + 1;
    }
    return out;
  }

  /** In how many milliseconds the first of them is over; null when none is within that time. */
  dueWithin(nowMs: number, withinMs: number): number | null {
    const last = Math.floor((nowMs + withinMs) / 1_000);
    for (let second = this.#sweptTo ?? Number.POSITIVE_INFINITY; second <= last; second++) {
      if (this.#bySecond.has(second)) return Math.max(0, second * 1_000 - nowMs);
    }
    return null;
  }

  #at(slot: number): StandingBlock {
    const flags = this.#flags[slot]!;
    return {
      target: prefixNamed(this.#targets[slot]!),
      endMs: this.#endMs[slot]!,
      sinceMs: this.#sinceMs[slot]!,
      untilMs: this.#untilMs[slot]!,
      grade: (flags & PROVEN) !== 0 ? "proven" : "spoofable",
      throttled: (flags & THROTTLED) !== 0,
      packetsStopped: this.#packets[slot]!,
    };
  }

  #take(): number {
    const free = this.#free;
    if (free !== NONE) {
      this.#free = this.#next[free]!;
      return free;
    }
    const slot = this.#targets.length;
    this.#targets.push("");
    if (slot === this.#endMs.length) this.#grow();
    return slot;
  }

  #grow(): void {
    const length = 2 * this.#endMs.length;
    this.#endMs = grown(this.#endMs, new Float64Array(length));
    this.#sinceMs = grown(this.#sinceMs, new Float64Array(length));
    this.#untilMs = grown(this.#untilMs, new Float64Array(length));
    this.#packets = grown(this.#packets, new Float64Array(length));
    this.#flags = grown(this.#flags, new Uint8Array(length));
    this.#met = grown(this.#met, new Uint32Array(length));
    this.#next = grown(this.#next, new Int32Array(length));
    this.#before = grown(this.#before, new Int32Array(length));
  }

  #hang(slot: number): void {
    const second = this.#secondOf(slot);
    const first = this.#bySecond.get(second) ?? NONE;
    this.#next[slot] = first;
    this.#before[slot] = NONE;
    if (first !== NONE) this.#before[first] = slot;
    this.#bySecond.set(second, slot);
    this.#sweptTo = Math.min(this.#sweptTo ?? second, second);
  }

  #unhang(slot: number): void {
    const next = this.#next[slot]!;
    const before = this.#before[slot]!;
    if (next !== NONE) this.#before[next] = before;
    if (before !== NONE) this.#next[before] = next;
    else if (next !== NONE) this.#bySecond.set(this.#secondOf(slot), next);
    else this.#bySecond.delete(this.#secondOf(slot));
  }

  #secondOf(slot: number): number {
    return Math.ceil(this.#endMs[slot]! / 1_000);
  }
}

function grown<T extends Float64Array | Int32Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

// What `formatPrefix` wrote, which needs no second look.
function prefixNamed(text: string): Prefix {
  const slash = text.indexOf("/");
  if (slash >= 0) return { base: text.slice(0, slash) as Address, bits: Number(text.slice(slash + 1)) };
  const base = text as Address;
  return { base, bits: familyOf(base) === 4 ? 32 : 128 };
}

function lengthKey(target: Prefix): string {
  return `${familyOf(target.base)}/${target.bits}`;
}
