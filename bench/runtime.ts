// The limit of everything that is over in a moment: starting the runtime, with nothing to do.
import { runMeasured } from "./measure.ts";
import type { Contender } from "./types.ts";

/** Whatever the work is: this much time and memory is gone before it begins. */
export function runtimeAlone(): Contender {
  return {
    name: "the runtime alone",
    role: "limit",
    command: "node -e 0",
    run: () => runMeasured([process.execPath, "-e", "0"]),
  };
}
