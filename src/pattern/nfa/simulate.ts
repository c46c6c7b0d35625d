// Runs the automaton without remembering anything: memory for two sets of states, time in proportion to the line
// times the patterns alive in it. The engine of last resort, and the one the others are compared with.
import { decodeAt } from "../locale/symbols.ts";
import type { StateSet, Stepper } from "./step.ts";

export class Simulation {
  readonly #stepper: Stepper;
  readonly #plain: number;
  #from: StateSet;
  #to: StateSet;

  /** @param plain the largest byte that is a symbol by itself */
  constructor(stepper: Stepper, plain: number) {
    this.#stepper = stepper;
    this.#plain = plain;
    this.#from = stepper.emptySet();
    this.#to = stepper.emptySet();
  }

  /**
   * Walks `haystack[start, end)` and calls `found` with each pattern that matches, some more than once, until
   * `found` returns true.
   */
  run(haystack: Uint8Array, start: number, end: number, found: (pattern: number) => boolean): void {
    const { classes, endClass } = this.#stepper;
    this.#stepper.begin(this.#from);
    if (this.#from.accepted.some(found)) return;
    for (let at = start; at < end; ) {
      const byte = haystack[at]!;
      let symbolClass: number;
      if (byte <= this.#plain) {
        symbolClass = classes.low[byte]!;
        at++;
      } else {
        const packed = decodeAt(haystack, at, end);
        symbolClass = classes.of(packed >>> 3);
        at += packed & 7;
      }
      if (this.#advance(symbolClass, found)) return;
    }
    this.#advance(endClass, found);
  }

  #advance(symbolClass: number, found: (pattern: number) => boolean): boolean {
    this.#stepper.step(this.#from, symbolClass, this.#to);
    const spare = this.#from;
    this.#from = this.#to;
    this.#to = spare;
    return this.#from.accepted.some(found);
  }
}
