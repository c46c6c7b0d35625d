// Long lists are worked off in turns of a few milliseconds: whoever waits for the event loop meanwhile gets his turn in between.

const PER_TURN = 200;

/** Works a long list off, some at a time. */
export async function inTurns<T>(all: readonly T[], work: (some: readonly T[]) => void): Promise<void> {
  for (let at = 0; at < all.length; at += PER_TURN) {
    if (at > 0) await nextTurn();
    work(all.slice(at, at + PER_TURN));
  }
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets so many through in one turn of the event loop; all others wait for a later one, in their order. */
export class Pace {
  readonly #mostPerTurn: number;
  readonly #waiting: (() => void)[] = [];
  #passed = 0;
  #isCounting = false;

  constructor(mostPerTurn: number) {
    this.#mostPerTurn = mostPerTurn;
  }

  /** Null for whoever may go on at once; else it resolves when he may. */
  pass(): Promise<void> | null {
    if (!this.#isCounting) {
      this.#isCounting = true;
      setImmediate(() => this.#turn());
    }
    if (this.#waiting.length > 0 || this.#passed === this.#mostPerTurn)
      return new Promise((resolve) => this.#waiting.push(resolve));
    this.#passed++;
    return null;
  }

  #turn(): void {
    const next = this.#waiting.splice(0, this.#mostPerTurn);
    this.#passed = next.length;
    this.#isCounting = next.length > 0;
    if (this.#isCounting) setImmediate(() => this.#turn());
    for (const goOn of next) goOn();
  }
}
