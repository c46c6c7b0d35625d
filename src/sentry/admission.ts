// Decides which strangers are remembered while more come than there is room for. A forged flood brings a source with each
// packet, and each would push another one out a moment later: nobody stayed long enough to be seen twice, and writing them
// all down was most of what such a flood costs. By chance, one in so many is taken in, and stays for seconds. Whoever scans
// in the midst of it is taken in with one of his probes, and from then on counted like anybody. Pure.
import { finish, mix } from "./hash.ts";

const WINDOW_MS = 100;
// Ten thousand new sources a second is more than any public host hears; 65,536 of them stay for six seconds at least.
const PER_WINDOW = 1_024;
const LEAST_SHARE = 1 << 20;

export class Admission {
  readonly #seed: number;
  #window = 0;
  #strangers = 0;
  #drawn = 0;
  #oneIn = 1;
  /** Strangers that were not taken in. */
  passedOver = 0;

  /** @param seed secret, so that nobody can time his probes to fall through */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Whether a source that is not remembered shall be, now that it makes its contact. */
  admits(atMs: number): boolean {
    const window = Math.floor(atMs / WINDOW_MS);
    if (window !== this.#window) this.#begin(window);
    this.#strangers++;
    if (this.#strangers > PER_WINDOW * this.#oneIn && this.#oneIn < LEAST_SHARE) this.#oneIn *= 2;
    if (this.#oneIn === 1) return true;
    this.#drawn = (this.#drawn + 1) | 0;
    if ((finish(mix(this.#seed, this.#drawn)) & (this.#oneIn - 1)) === 0) return true;
    this.passedOver++;
    return false;
  }

  /** The share follows what came in the window before. */
  #begin(window: number): void {
    const expected = window - this.#window === 1 ? this.#strangers : 0;
    this.#oneIn = 1;
    while (expected > PER_WINDOW * this.#oneIn) this.#oneIn *= 2;
    this.#window = window;
    this.#strangers = 0;
  }
}
