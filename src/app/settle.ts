// Gives back what starting took. V8 collects when a heap grows, and a guard that has started does not grow: the garbage of
// reading configuration and rules would stay for days. And most of the code that ran until now will not run again.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { releaseRuntimePages } from "../sys/resident.ts";

// By then the first rotation was looked at and the first facts were read.
const AFTER_MS = 10_000;

/** Lets this process shrink to what waiting takes, some seconds from now. */
export function settleSoon(): void {
  setTimeout(() => {
    // After this collection V8 would make two more behind it, of some 40 ms each, to shrink what is small already.
    setFlagsFromString("--memory-reducer-gc-count=1");
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
    setFlagsFromString("--no-expose-gc");
    releaseRuntimePages();
  }, AFTER_MS).unref();
}
