// A whole pattern set walked as one deterministic automaton whose states are made when a line first needs them:
// one table look-up per character, however many patterns there are.
import { decodeAt } from "../locale/symbols.ts";
import type { AlphabetClasses } from "../nfa/classes.ts";
import type { Stepper } from "../nfa/step.ts";
import { DEAD, StateCache, stateOf, UNKNOWN } from "./cache.ts";

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
export const PERHAPS = 2;

export class LazyDfa {
  gaveUp = 0;
  readonly #cache: StateCache;
  readonly #classes: AlphabetClasses;
  readonly #plain: number;
  #poorFlushes = 0;
  // Bytes read since the last flush, up to the line being read, and where in that line counting began.
  #readBytes = 0;
  #restBytes = 0;

  /**
   * @param plain the largest byte that is a symbol by itself
   * @param unsure per pattern: 1 when a match has yet to be confirmed by another engine
   */
  constructor(stepper: Stepper, plain: number, cacheBytes: number, unsure: Uint8Array) {
    this.#cache = new StateCache(stepper, cacheBytes, unsure);
    this.#classes = stepper.classes;
    this.#plain = plain;
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

  /** Whether any pattern matches: MATCH, NO_MATCH, PERHAPS or GAVE_UP. Stops where the answer is sure. */
  any(haystack: Uint8Array, start: number, end: number): number {
    if (this.#isResting(end - start)) return GAVE_UP;
    const cache = this.#cache;
    const classes = this.#classes;
    const { low } = classes;
    const plain = this.#plain;
    let { table } = cache;
    let answer = NO_MATCH;
    let state = cache.start();
    let counted = start;
    if (state < 0) {
      state = stateOf(state);
      if (cache.isSure(state)) return MATCH;
      answer = PERHAPS;
    }
    let at = start;
    while (at < end) {
      const byte = haystack[at]!;
      let symbolClass: number;
      if (byte <= plain) {
        symbolClass = low[byte]!;
        at++;
      } else {
        const packed = decodeAt(haystack, at, end);
        symbolClass = classes.of(packed >>> 3);
        at += packed & 7;
      }
      let entry = table[state + symbolClass]!;
      if (entry > DEAD) {
        state = entry;
        continue;
      }
      if (entry === UNKNOWN) {
        const { flushes } = cache;
        const { states } = cache;
        entry = cache.extend(state, symbolClass);
        table = cache.table;
        if (flushes !== cache.flushes) {
          this.#readBytes += at - counted;
          counted = at;
          if (this.#judgeFlush(states)) return GAVE_UP;
        }
      }
      if (entry < 0) {
        state = stateOf(entry);
        if (cache.isSure(state)) {
          this.#readBytes += at - counted;
          return MATCH;
        }
        answer = PERHAPS;
      } else {
        state = entry;
        if (entry === DEAD) break;
      }
    }
    this.#readBytes += at - counted;
    if (state === DEAD) return answer;
    const last = this.#lineEnd(state);
    return last === DEAD ? answer : cache.isSure(last) ? MATCH : PERHAPS;
  }

  /**
   * Calls `found` with every pattern that matches, some more than once; false when the automaton gave up.
   * @param enough asked after a match with the lowest pattern that can still match: true ends the walk
   */
  each(
    haystack: Uint8Array,
    start: number,
    end: number,
    found: (patterns: Int32Array) => void,
    enough: (lowestAhead: number) => boolean,
  ): boolean {
    if (this.#isResting(end - start)) return false;
    const cache = this.#cache;
    const classes = this.#classes;
    const { low } = classes;
    const plain = this.#plain;
    let { table } = cache;
    let state = cache.start();
    let counted = start;
    let told = -1;
    if (state < 0) {
      state = stateOf(state);
      found(cache.acceptedAt(state));
      told = state;
      if (enough(cache.lowestAhead(state))) return true;
    }
    let at = start;
    while (at < end) {
      const byte = haystack[at]!;
      let symbolClass: number;
      if (byte <= plain) {
        symbolClass = low[byte]!;
        at++;
      } else {
        const packed = decodeAt(haystack, at, end);
        symbolClass = classes.of(packed >>> 3);
        at += packed & 7;
      }
      let entry = table[state + symbolClass]!;
      if (entry > DEAD) {
        state = entry;
        continue;
      }
      if (entry === UNKNOWN) {
        const { flushes } = cache;
        const { states } = cache;
        entry = cache.extend(state, symbolClass);
        table = cache.table;
        if (flushes !== cache.flushes) {
          this.#readBytes += at - counted;
          counted = at;
          told = -1;
          if (this.#judgeFlush(states)) return false;
        }
      }
      if (entry < 0) {
        state = stateOf(entry);
        // A pattern such as "^x.*" matches anew at every byte; telling once per state is enough.
        if (state !== told) {
          told = state;
          found(cache.acceptedAt(state));
          if (enough(cache.lowestAhead(state))) break;
        }
      } else {
        state = entry;
        if (entry === DEAD) break;
      }
    }
    this.#readBytes += at - counted;
    if (state !== DEAD && at >= end) {
      const last = this.#lineEnd(state);
      if (last !== DEAD) found(cache.acceptedAt(last));
    }
    return true;
  }

  // The match state that the end of the line leads to, or DEAD.
  #lineEnd(state: number): number {
    const { endClass } = { endClass: this.#cache.stride - 1 };
    let entry = this.#cache.table[state + endClass]!;
    if (entry === UNKNOWN) entry = this.#cache.extend(state, endClass);
    return entry < 0 ? stateOf(entry) : DEAD;
  }

  #isResting(bytes: number): boolean {
    if (this.#restBytes <= 0) return false;
    this.#restBytes -= bytes;
    return true;
  }

  // Called after a flush; true when it is time to give up.
  #judgeFlush(statesBefore: number): boolean {
    const poor = this.#readBytes < statesBefore * BYTES_PER_STATE_MIN;
    this.#poorFlushes = poor ? this.#poorFlushes + 1 : 0;
    this.#readBytes = 0;
    if (this.#poorFlushes < POOR_FLUSHES_MAX) return false;
    this.#poorFlushes = 0;
    this.#restBytes = REST_BYTES;
    this.gaveUp++;
    return true;
  }
}
