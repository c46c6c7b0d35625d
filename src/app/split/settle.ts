// Gives back what starting took. V8 collects when a heap grows, and a guard that has started does not grow: the garbage
// of reading configuration and rules would stay for days. Measured: 10 to 25 MB of the listener.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

// By then the first rotation was looked at and the first facts were read.
const AFTER_MS = 10_000;

/** Collects once, a few seconds from now. */
export function settleSoon(): void {
  setTimeout(() => {
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
    setFlagsFromString("--no-expose-gc");
  }, AFTER_MS).unref();
}
