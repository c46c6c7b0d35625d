// Runs the automaton without remembering anything: memory for two sets of states, time in proportion to the line
// times the patterns alive in it. The engine of last resort, and the one the others are compared with.
import { decodeAt } from "../locale/symbols.ts";
import type { MatchListener } from "./listener.ts";
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

  /** Tells `listener` of every pattern that matches `haystack[start, end)`, of some more than once. */
  run(haystack: Uint8Array, start: number, end: number, listener: MatchListener): void {
    const { classes, endClass } = this.#stepper;
    this.#stepper.begin(this.#from);
    if (this.#tell(listener)) return;
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
      if (this.#advance(symbolClass, listener)) return;
    }
    this.#advance(endClass, listener);
  }

  #advance(symbolClass: number, listener: MatchListener): boolean {
    this.#stepper.step(this.#from, symbolClass, this.#to);
    const spare = this.#from;
    this.#from = this.#to;
    this.#to = spare;
    return this.#tell(listener);
  }

  #tell(listener: MatchListener): boolean {
    return this.#from.accepted.length > 0 && listener.found(this.#from.accepted, 0);
  }
}
