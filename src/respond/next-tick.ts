// Wakes whoever waits for one of several things at the moment the first of them may be due, and at no other.

export class NextTick {
  readonly #tick: () => void;
  #timer: NodeJS.Timeout | undefined;
  #atMs = Number.POSITIVE_INFINITY;
  #closed = false;

  /** @param tick what is called; it does not keep the process alive */
  constructor(tick: () => void) {
    this.#tick = tick;
  }

  /** Not later than in so many milliseconds; a tick that was to come sooner still does. */
  within(ms: number): void {
    const atMs = performance.now() + ms;
    if (this.#closed || this.#atMs <= atMs) return;
    clearTimeout(this.#timer);
    this.#atMs = atMs;
    this.#timer = setTimeout(() => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#tick();
    }, ms).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
