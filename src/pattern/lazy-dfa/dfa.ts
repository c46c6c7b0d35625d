// A whole pattern set walked as one deterministic automaton whose states are made when a line first needs them:
// one table look-up per character, however many patterns there are.
import { decodeAt } from "../locale/symbols.ts";
import type { AlphabetClasses } from "../nfa/classes.ts";
import type { MatchListener } from "../nfa/listener.ts";
import type { Stepper } from "../nfa/step.ts";
import { type Lines, type Stops, walkAbreast } from "./abreast.ts";
import { DEAD, type Snapshot, StateCache, stateOf, UNKNOWN, UNSURE } from "./cache.ts";

// The give-up rule. A flush is poor when fewer than BYTES_PER_STATE_MIN bytes were read for each state built since
// the flush before: the cache is not earning its keep. After POOR_FLUSHES_MAX poor flushes in a row the caller is
// told to walk the line otherwise, and to leave the automaton alone for the next REST_BYTES.
const BYTES_PER_STATE_MIN = 10;
const POOR_FLUSHES_MAX = 3;
const REST_BYTES = 1 << 20;

/** What a search returns when the automaton gave up on the line. */
export const GAVE_UP = -1;
export const NO_MATCH = 0;
export const MATCH = 1;
/** Some pattern that needs confirmation matched, and none that needs none. */
const PERHAPS = 2;

export class LazyDfa {
  /** How often the give-up rule struck. */
  gaveUp = 0;
  readonly #cache: StateCache;
  readonly #classes: AlphabetClasses;
  readonly #plain: number;
  // Per byte its class, and the end of the line, over which no step is easy, for bytes that are no symbols by themselves.
  readonly #low: Int32Array;
  // How far the lines of a batch were walked abreast, good for as long as no flush makes their states void.
  #stops: Stops = { states: new Int32Array(0), ats: new Int32Array(0) };
  #stopsFlushes = UNKNOWN;
  #poorFlushes = 0;
  // Bytes read since the last flush, up to #countedTo in the line at hand.
  #readBytes = 0;
  #countedTo = 0;
  #restBytes = 0;
  // Where a walk stands between the fast loop and the careful one.
  #state = DEAD;
  // The last state that a listener was told about.
  #told = UNKNOWN;

  /**
   * @param plain the largest byte that is a symbol by itself
   * @param unsure per pattern: 1 when a match has yet to be confirmed by another engine
   * @param known states to begin with, of an automaton over the same program
   */
  constructor(
    stepper: Stepper,
    plain: number,
    cacheBytes: number,
    unsure: Uint8Array,
    known: Snapshot | null = null,
  ) {
    this.#cache = new StateCache(stepper, cacheBytes, unsure, known);
    this.#classes = stepper.classes;
    this.#plain = plain;
    this.#low = stepper.classes.low.map((number, byte) => (byte > plain ? stepper.endClass : number));
  }

  get states(): number {
    return this.#cache.states;
  }

  get cacheBytes(): number {
    return this.#cache.bytes;
  }

  get flushes(): number {
    return this.#cache.flushes;
  }

  /** The states met so far. */
  snapshot(): Snapshot {
    return this.#cache.snapshot();
  }

  /** Whether any pattern matches: MATCH, NO_MATCH, PERHAPS or GAVE_UP. Stops where the answer is sure. */
  any(haystack: Uint8Array, start: number, end: number): number {
    if (this.#isResting(end - start)) return GAVE_UP;
    const cache = this.#cache;
    this.#countedTo = start;
    this.#state = cache.start();
    let answer = NO_MATCH;
    if (this.#state < 0) {
      this.#state = stateOf(this.#state);
      if (cache.isSure(this.#state)) return MATCH;
      answer = PERHAPS;
    }
    for (let at = this.#glide(haystack, start, end); at < end; at = this.#glide(haystack, at, end)) {
      const length = this.#stepAt(haystack, at, end);
      if (length === GAVE_UP) return GAVE_UP;
      at += length;
      if (this.#state < 0) {
        this.#state = stateOf(this.#state);
        if (cache.isSure(this.#state)) return this.#counted(at, MATCH);
        answer = PERHAPS;
      } else if (this.#state === DEAD) return this.#counted(at, answer);
    }
    const last = this.#lineEnd();
    return this.#counted(end, last === DEAD ? answer : cache.isSure(last) ? MATCH : PERHAPS);
  }

  /** Walks lines abreast as far as that is easy; `each` then goes on with them, one by one, until the next batch. */
  prepare(haystack: Uint8Array, lines: Lines): void {
    const start = this.#cache.start();
    this.#stopsFlushes = this.#cache.flushes;
    if (this.#stops.ats.length < lines.count) {
      this.#stops = { states: new Int32Array(lines.count), ats: new Int32Array(lines.count) };
    }
    // A search that begins with a match has something to tell at once.
    if (start < 0) this.#stopsFlushes = UNKNOWN;
    else walkAbreast(this.#cache.table, this.#low, start, haystack, lines, this.#stops);
  }

  /**
   * The lowest pattern that matches the line last prepared as number `prepared`, or -1; UNSURE when that takes more than
   * looking where its walk ended: `each` tells.
   */
  firstOfPrepared(prepared: number, start: number, end: number): number {
    const cache = this.#cache;
    if (this.#stopsFlushes !== cache.flushes || this.#stops.ats[prepared] !== end) return UNSURE;
    const entry = cache.table[this.#stops.states[prepared]! + cache.stride - 1]!;
    if (entry === UNKNOWN) return UNSURE;
    this.#readBytes += end - start;
    return cache.firstAt(stateOf(entry));
  }

  /**
   * Tells `listener` of every pattern that matches, of some more than once; false when the automaton gave up.
   * @param prepared which of the lines last prepared this one is, or -1
   */
  each(haystack: Uint8Array, start: number, end: number, listener: MatchListener, prepared: number): boolean {
    if (this.#isResting(end - start)) return false;
    const cache = this.#cache;
    const isPrepared = prepared >= 0 && this.#stopsFlushes === cache.flushes;
    this.#countedTo = start;
    this.#state = isPrepared ? this.#stops.states[prepared]! : cache.start();
    this.#told = UNKNOWN;
    if (this.#isEnough(listener)) return true;
    const from = isPrepared ? this.#stops.ats[prepared]! : start;
    for (let at = this.#glide(haystack, from, end); at < end; at = this.#glide(haystack, at, end)) {
      const length = this.#stepAt(haystack, at, end);
      if (length === GAVE_UP) return false;
      at += length;
      if (this.#isEnough(listener)) {
        this.#counted(at, MATCH);
        return true;
      }
    }
    const last = this.#lineEnd();
    if (last !== DEAD) listener.found(cache.acceptedAt(last), Number.POSITIVE_INFINITY);
    this.#counted(end, MATCH);
    return true;
  }

  /**
   * Whether these two beginnings of a line lead to one state, with no match on the way: whatever follows, lines that
   * begin with one or the other are matched by the same patterns. False when that is not sure.
   */
  leadAlike(
    one: Uint8Array,
    oneStart: number,
    oneEnd: number,
    other: Uint8Array,
    otherStart: number,
    otherEnd: number,
  ): boolean {
    if (this.#isResting(0)) return false;
    const first = this.#stateAfter(one, oneStart, oneEnd);
    if (first === GAVE_UP) return false;
    const { flushes } = this.#cache;
    return this.#stateAfter(other, otherStart, otherEnd) === first && this.#cache.flushes === flushes;
  }

  // The state after these bytes, or GAVE_UP when something has matched or the automaton gave up.
  #stateAfter(haystack: Uint8Array, start: number, end: number): number {
    this.#countedTo = start;
    this.#state = this.#cache.start();
    if (this.#state < 0) return GAVE_UP;
    for (let at = this.#glide(haystack, start, end); at < end; at = this.#glide(haystack, at, end)) {
      const length = this.#stepAt(haystack, at, end);
      if (length === GAVE_UP || this.#state < 0) return GAVE_UP;
      if (this.#state === DEAD) return DEAD;
      at += length;
    }
    return this.#counted(end, this.#state);
  }

  // Takes the entry in #state for a state, and tells what has matched there. True when the walk is over.
  #isEnough(listener: MatchListener): boolean {
    if (this.#state >= 0) return this.#state === DEAD;
    this.#state = stateOf(this.#state);
    // A pattern such as "^x.*" matches anew at every byte; telling once per state is enough.
    if (this.#state === this.#told) return false;
    this.#told = this.#state;
    return listener.found(this.#cache.acceptedAt(this.#state), this.#cache.lowestAhead(this.#state));
  }

  // Walks from #state for as long as every step is known, and none ends or matches anything: nearly always, so this
  // loop is what the room's speed on single lines is. Four bytes at a time is a seventh faster than one. Returns where it stopped.
  #glide(haystack: Uint8Array, start: number, end: number): number {
    const { table } = this.#cache;
    const low = this.#low;
    let state = this.#state;
    let at = start;
    while (at < end) {
      for (const last = end - 3; at < last; at += 4) {
        const first = table[state + low[haystack[at]!]!]!;
        if (first <= DEAD) break;
        const second = table[first + low[haystack[at + 1]!]!]!;
        if (second <= DEAD) {
          state = first;
          at += 1;
          break;
        }
        const third = table[second + low[haystack[at + 2]!]!]!;
        if (third <= DEAD) {
          state = second;
          at += 2;
          break;
        }
        const fourth = table[third + low[haystack[at + 3]!]!]!;
        if (fourth <= DEAD) {
          state = third;
          at += 3;
          break;
        }
        state = fourth;
      }
      if (at >= end) break;
      // What stopped the loop: a wide character, the last three bytes, or a step that ends the glide.
      const byte = haystack[at]!;
      let length = 1;
      let next: number;
      if (byte <= this.#plain) next = table[state + low[byte]!]!;
      else {
        const packed = decodeAt(haystack, at, end);
        next = table[state + this.#classes.of(packed >>> 3)]!;
        length = packed & 7;
      }
      if (next <= DEAD) break;
      state = next;
      at += length;
    }
    this.#state = state;
    return at;
  }

  // One symbol, whatever it is: leaves the entry it leads to in #state and returns its length in bytes, or GAVE_UP.
  #stepAt(haystack: Uint8Array, at: number, end: number): number {
    const cache = this.#cache;
    const byte = haystack[at]!;
    let symbolClass: number;
    let length = 1;
    if (byte <= this.#plain) symbolClass = this.#classes.low[byte]!;
    else {
      const packed = decodeAt(haystack, at, end);
      symbolClass = this.#classes.of(packed >>> 3);
      length = packed & 7;
    }
    let entry = cache.table[this.#state + symbolClass]!;
    if (entry === UNKNOWN) {
      const { flushes, states } = cache;
      entry = cache.extend(this.#state, symbolClass);
      if (flushes !== cache.flushes) {
        this.#told = UNKNOWN;
        if (this.#judgeFlush(states, at)) return GAVE_UP;
      }
    }
    this.#state = entry;
    return length;
  }

  // The match state that the end of the line leads to, or DEAD.
  #lineEnd(): number {
    const cache = this.#cache;
    const endClass = cache.stride - 1;
    let entry = cache.table[this.#state + endClass]!;
    if (entry === UNKNOWN) entry = cache.extend(this.#state, endClass);
    return stateOf(entry);
  }

  #counted(at: number, answer: number): number {
    this.#readBytes += at - this.#countedTo;
    return answer;
  }

  #isResting(bytes: number): boolean {
    if (this.#restBytes <= 0) return false;
    this.#restBytes -= bytes;
    return true;
  }

  // Called after a flush at `at`; true when it is time to give up.
  #judgeFlush(statesBefore: number, at: number): boolean {
    const readBytes = this.#readBytes + at - this.#countedTo;
    this.#readBytes = 0;
    this.#countedTo = at;
    this.#poorFlushes = readBytes < statesBefore * BYTES_PER_STATE_MIN ? this.#poorFlushes + 1 : 0;
    if (this.#poorFlushes < POOR_FLUSHES_MAX) return false;
    this.#poorFlushes = 0;
    this.#restBytes = REST_BYTES;
    this.gaveUp++;
    return true;
  }
}
