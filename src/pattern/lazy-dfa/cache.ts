// The automaton's memory: which deterministic states have been met, and where each leads. It is bounded by bytes,
// not by trust in the patterns: when it is full, everything is dropped and built again as lines ask for it.
import type { StateSet, Stepper } from "../nfa/step.ts";

/** Leads nowhere: no pattern can match any more. Also the number of the first row, which is never a real state. */
export const DEAD = 0;
/** Not computed yet. */
export const UNKNOWN = -1;

// The state at hand, the one before it, the first and the dead one are always kept.
const STATES_MIN = 4;
const BYTES_PER_STATE = 96;

/** In place of a pattern: it is not said here which. */
export const UNSURE = -2;

/** In place of a matchEntry, where no pattern has matched at the end of the line: `stateOf` gives DEAD. */
const NOTHING = -2;

/** Where a row leads to a state in which patterns have just matched, the entry is this; `stateOf` undoes it. */
function matchEntry(state: number): number {
  return -state - 2;
}

export function stateOf(entry: number): number {
  return entry < 0 ? -entry - 2 : entry;
}

/**
 * The states of a cache, as they can be kept. Arrays with `Ends` beside them hold one run per state, each ending where
 * its entry says.
 */
export type Snapshot = {
  readonly stride: number;
  readonly start: number;
  readonly table: Int32Array;
  readonly sets: Int32Array;
  readonly setEnds: Int32Array;
  readonly accepted: Int32Array;
  readonly acceptedEnds: Int32Array;
  /** -1: no pattern is too low to come; NO_LOWEST: none comes. */
  readonly lowestAhead: Int32Array;
  readonly before: Uint8Array;
  readonly flags: Uint8Array;
  readonly hashes: Int32Array;
};

// What stands for infinity in a snapshot.
const NO_LOWEST = 0x7fff_ffff;

export class StateCache {
  /**
   * Row `state` has one entry per class: DEAD, UNKNOWN, a state or a matchEntry. The last, for the end of the line, is
   * always negative: NOTHING, UNKNOWN or a matchEntry.
   */
  table: Int32Array;
  /** Length of a row. States are numbered by where their row begins. */
  readonly stride: number;
  flushes = 0;
  readonly #stepper: Stepper;
  readonly #cacheBytes: number;
  readonly #statesMax: number;
  readonly #unsure: Uint8Array;
  // Per state, by state / stride.
  #sets: Int32Array[] = [];
  #accepted: Int32Array[] = [];
  #lowest: number[] = [];
  #before: Uint8Array;
  #flags: Uint8Array;
  #hashes: number[] = [];
  #byHash = new Map<number, number>();
  #sameHash: number[] = [];
  #setBytes = 0;
  #start = UNKNOWN;
  readonly #from: StateSet;
  readonly #to: StateSet;
  readonly #canRestart: boolean;

  /**
   * @param unsure per pattern: 1 when a match of the automaton has yet to be confirmed
   * @param known states to begin with: a snapshot of a cache over the same program
   */
  constructor(stepper: Stepper, cacheBytes: number, unsure: Uint8Array, known: Snapshot | null = null) {
    this.#stepper = stepper;
    this.#cacheBytes = cacheBytes;
    this.#unsure = unsure;
    this.stride = stepper.endClass + 1;
    this.#statesMax = Math.max(STATES_MIN, Math.floor(cacheBytes / (this.stride * 4 + BYTES_PER_STATE)));
    const first = Math.min(this.#statesMax, 64);
    this.table = new Int32Array(first * this.stride);
    this.#before = new Uint8Array(this.#statesMax);
    this.#flags = new Uint8Array(this.#statesMax);
    this.#from = stepper.emptySet();
    this.#to = stepper.emptySet();
    this.#canRestart = this.#restartsSomewhere();
    this.#reset();
    if (known !== null && known.setEnds.length <= this.#statesMax) this.#restore(known);
  }

  /** States held now, without the dead one. */
  get states(): number {
    return this.#sets.length - 1;
  }

  /** Bytes held now, counted as the bound counts them. */
  get bytes(): number {
    return this.#setBytes + this.#sets.length * (this.stride * 4 + BYTES_PER_STATE);
  }

  /** The state, or matchEntry, at which every line begins. */
  start(): number {
    if (this.#start === UNKNOWN) {
      this.#stepper.begin(this.#to);
      this.#start = this.#keep(this.#to);
    }
    return this.#start;
  }

  /** Computes and remembers where `state` leads over `symbolClass`. May flush: other states are void after it. */
  extend(state: number, symbolClass: number): number {
    this.#load(state);
    this.#stepper.step(this.#from, symbolClass, this.#to);
    const flushesBefore = this.flushes;
    const kept = this.#keep(this.#to);
    const entry = kept >= 0 && symbolClass === this.#stepper.endClass ? NOTHING : kept;
    if (this.flushes === flushesBefore) this.table[state + symbolClass] = entry;
    return entry;
  }

  /** The patterns that have matched on arrival in `state`, ascending. */
  acceptedAt(state: number): Int32Array {
    return this.#accepted[state / this.stride]!;
  }

  /** The lowest of them; -1 when there is none, UNSURE when it has to be confirmed first. */
  firstAt(state: number): number {
    const first = this.acceptedAt(state)[0];
    if (first === undefined) return -1;
    return this.#unsure[first] === 0 ? first : UNSURE;
  }

  /** Whether one of them needs no confirmation. */
  isSure(state: number): boolean {
    return (this.#flags[state / this.stride]! & 2) !== 0;
  }

  /** The lowest pattern that can still match from `state` on. */
  lowestAhead(state: number): number {
    return this.#lowest[state / this.stride]!;
  }

  /** The states held now, to begin with another time. */
  snapshot(): Snapshot {
    const count = this.#sets.length;
    return {
      stride: this.stride,
      start: this.#start,
      table: this.table.slice(0, count * this.stride),
      ...joined("sets", "setEnds", this.#sets),
      ...joined("accepted", "acceptedEnds", this.#accepted),
      lowestAhead: Int32Array.from(this.#lowest, (ahead) => Math.min(ahead, NO_LOWEST)),
      before: this.#before.slice(0, count),
      flags: this.#flags.slice(0, count),
      hashes: Int32Array.from(this.#hashes),
    };
  }

  #restore(known: Snapshot): void {
    const count = known.setEnds.length;
    this.#sets = split(known.sets, known.setEnds);
    this.#accepted = split(known.accepted, known.acceptedEnds);
    this.#lowest = Array.from(known.lowestAhead, (ahead) =>
      ahead === NO_LOWEST ? Number.POSITIVE_INFINITY : ahead,
    );
    this.#before.set(known.before);
    this.#flags.set(known.flags);
    this.#setBytes = (known.sets.length + known.accepted.length) * 4;
    this.#start = known.start;
    this.#hashes = Array.from(known.hashes);
    // State 0 is the dead one, which no hash leads to.
    for (let index = 1; index < count; index++) {
      const hash = this.#hashes[index]!;
      this.#sameHash[index] = this.#byHash.get(hash) ?? -1;
      this.#byHash.set(hash, index);
    }
    if (known.table.length > this.table.length) {
      const rows = Math.min(this.#statesMax, count + 64);
      this.table = new Int32Array(rows * this.stride);
    }
    this.table.set(known.table);
  }

  #restartsSomewhere(): boolean {
    // Over no symbol at all a step is a restart: an empty set shows what it adds, after a word and after no word.
    const { classes } = this.#stepper;
    for (let number = 0; number < classes.count; number++) {
      this.#from.count = 0;
      this.#from.waiting = false;
      this.#stepper.step(this.#from, number, this.#to);
      if (this.#to.count > 0 || this.#to.accepted.length > 0) return true;
      if (!this.#stepper.program.hasWordAssertions) break;
    }
    return false;
  }

  #load(state: number): void {
    const index = state / this.stride;
    const states = this.#sets[index]!;
    this.#from.states.set(states);
    this.#from.count = states.length;
    this.#from.waiting = (this.#flags[index]! & 1) !== 0;
    this.#from.before = this.#before[index]!;
  }

  // The entry for a set: a state that is known, or a new one.
  #keep(set: StateSet): number {
    if (set.count === 0 && set.accepted.length === 0 && !this.#canRestart) return DEAD;
    const states = set.states.subarray(0, set.count).sort();
    set.accepted.sort((a, b) => a - b);
    // What stood before matters only to assertions that still wait.
    const before = set.waiting ? set.before : 0;
    let hash = Math.imul(before + 1, 0x9e3779b1);
    for (let i = 0; i < set.count; i++) hash = Math.imul(hash ^ states[i]!, 0x01000193) ^ (hash >>> 15);
    for (const pattern of set.accepted) hash = Math.imul(hash ^ ~pattern, 0x01000193) ^ (hash >>> 13);
    const first = this.#byHash.get(hash) ?? -1;
    for (let index = first; index >= 0; index = this.#sameHash[index]!) {
      if (
        this.#before[index] === before &&
        same(this.#sets[index]!, states, set.count) &&
        same(this.#accepted[index]!, set.accepted, set.accepted.length)
      ) {
        return this.#entryOf(index);
      }
    }
    const size = (set.count + set.accepted.length) * 4;
    if (this.#sets.length >= STATES_MIN && this.#isFull(size)) {
      this.flushes++;
      this.#reset();
      return this.#add(set, states, before, hash, -1, size);
    }
    return this.#add(set, states, before, hash, first, size);
  }

  #isFull(size: number): boolean {
    const rows = (this.#sets.length + 1) * (this.stride * 4 + BYTES_PER_STATE);
    return this.#sets.length >= this.#statesMax || rows + this.#setBytes + size > this.#cacheBytes;
  }

  #add(
    set: StateSet,
    states: Int32Array,
    before: number,
    hash: number,
    sameHash: number,
    size: number,
  ): number {
    const index = this.#sets.length;
    const { lowest } = this.#stepper.program;
    let ahead = Number.POSITIVE_INFINITY;
    for (const state of states) ahead = Math.min(ahead, lowest[state]!);
    this.#sets.push(states.slice());
    this.#hashes.push(hash);
    this.#accepted.push(Int32Array.from(set.accepted));
    this.#lowest.push(this.#canRestart ? -1 : ahead);
    this.#before[index] = before;
    const sure = set.accepted.some((pattern) => this.#unsure[pattern] === 0);
    this.#flags[index] = (set.waiting ? 1 : 0) | (sure ? 2 : 0);
    this.#sameHash[index] = sameHash;
    this.#byHash.set(hash, index);
    this.#setBytes += size;
    const row = index * this.stride;
    if (row + this.stride > this.table.length) {
      const rows = Math.min(this.#statesMax, (this.table.length / this.stride) * 2);
      const wider = new Int32Array(rows * this.stride);
      wider.set(this.table);
      this.table = wider;
    }
    this.table.fill(UNKNOWN, row, row + this.stride);
    return this.#entryOf(index);
  }

  #entryOf(index: number): number {
    const state = index * this.stride;
    return this.#accepted[index]!.length > 0 ? matchEntry(state) : state;
  }

  #reset(): void {
    this.#sets = [new Int32Array(0)];
    this.#accepted = [new Int32Array(0)];
    this.#lowest = [Number.POSITIVE_INFINITY];
    this.#hashes = [0];
    this.#byHash.clear();
    this.#sameHash = [-1];
    this.#setBytes = 0;
    this.#start = UNKNOWN;
    this.table.fill(DEAD, 0, this.stride);
    this.table[this.#stepper.endClass] = NOTHING;
  }
}

function same(known: Int32Array, given: ArrayLike<number>, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== given[i]) return false;
  return true;
}

function joined<A extends string, B extends string>(
  name: A,
  endsName: B,
  runs: readonly Int32Array[],
): Record<A | B, Int32Array> {
  const ends = new Int32Array(runs.length);
  let end = 0;
  runs.forEach((run, index) => {
    end += run.length;
    ends[index] = end;
  });
  const all = new Int32Array(end);
  runs.forEach((run, index) => {
    all.set(run, ends[index]! - run.length);
  });
  return { [name]: all, [endsName]: ends } as Record<A | B, Int32Array>;
}

function split(all: Int32Array, ends: Int32Array): Int32Array[] {
  return Array.from(ends, (end, index) => all.subarray(index === 0 ? 0 : ends[index - 1]!, end));
}
