// Gives back what starting took. V8 collects when a heap grows, and a guard that has started does not grow: the garbage of
// reading configuration and rules would stay for days. And most of the code that ran until now will not run again.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { releaseRuntimePages } from "../sys/resident.ts";

// By then the first rotation was looked at and the first facts were read.
const AFTER_MS = 10_000;
// V8 would collect once more behind this collection, some twenty seconds later: for what it leaves, 50 ms of the processor in each
// half of the guard, more than half of what the guard takes in its first minute. Later bursts are to be followed by one.
const AGAIN_AFTER_MS = 60_000;

/**
 * Lets this process shrink to what waiting takes, some seconds from now.
 * @param keepsCode whether code stays that was compiled and is not running: a process that is to raise alarms has rehearsed its
 *   code, and without it is 0.2 ms later
 */
export function settleSoon(keepsCode: boolean): void {
  setTimeout(() => {
    setFlagsFromString("--memory-reducer-gc-count=0");
    setTimeout(() => setFlagsFromString("--memory-reducer-gc-count=1"), AGAIN_AFTER_MS).unref();
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as (how: object) => void;
    // The last resort takes the code, too: 4 MB of the warden's heap of 15.
    collect({ type: "major", execution: "sync", flavor: keepsCode ? "regular" : "last-resort" });
    setFlagsFromString("--no-expose-gc");
    releaseRuntimePages();
  }, AFTER_MS).unref();
}
