// What a part of the guard may need more rights for than reading a log takes. A guard in one process uses its own; the
// listener of a split guard asks its warden. The parts know no difference.

import { every } from "../core/rounds.ts";
import type { Route } from "../report/types.ts";
import type { Backend } from "../respond/backend.ts";
import type { HeldBlock } from "../respond/plan.ts";
import type { HostFacts } from "../respond/types.ts";
import type { Capture, CaptureOptions } from "../sources/packets/capture.ts";
import { openCapture } from "../sources/packets/capture.ts";
import { heldHere, makeBackend } from "./firewall.ts";
import { factsReader } from "./protected.ts";
import { routesOf } from "./reporting.ts";
import type { RotationEars, RunningRotation } from "./rotation.ts";
import { RotationKeeper } from "./rotation.ts";
import type { Settings } from "./settings.ts";
import { FACTS_LOOK_MS } from "./split/facts-desk.ts";

/** Who must never be blocked. */
export type FactsSource = {
  /** The same object for as long as nothing changes. */
  current(): HostFacts;
  /** Calls `onNews` soon after something has changed. */
  follow(onNews: () => void): Disposable;
};

export type Powers = {
  /** For the status block: who does what with which rights. */
  describe(): readonly string[];
  /** The processes whose lines in a log are the guard's own. */
  readonly ownPids: readonly number[];
  /** The firewall that the configuration names. */
  backend(settings: Settings): Backend;
  /** The blocks that the firewall holds, with what each has stopped. Throws when it may not be asked. */
  held(settings: Settings): Promise<readonly HeldBlock[]>;
  readonly facts: FactsSource;
  /** The right to listen to packets, to be used once. Throws MissingPartError without it. */
  capture(): Promise<(options: CaptureOptions) => Capture>;
  /** Opens a log that this process may not open; null where nobody else could either. */
  readonly openLog: ((path: string) => Promise<number>) | null;
  /** Where reports go, by ways that work with this process's rights. */
  routes(settings: Settings): Route[];
  /** Throws MissingPartError when there is nothing to rotate by. */
  rotation(settings: Settings, ears: RotationEars): Promise<RunningRotation>;
};

/** The rights that this process has by itself. */
export function ownPowers(whole: { readonly because: string; readonly mend: string }): Powers {
  return {
    describe: () => [`one process does everything: ${whole.because}`, `mend: ${whole.mend}`],
    ownPids: [process.pid],
    backend: makeBackend,
    held: heldHere,
    facts: lookedAfter(factsReader()),
    capture: async () => openCapture,
    openLog: null,
    routes: routesOf,
    rotation: (settings, ears) => RotationKeeper.start(settings, ears),
  };
}

function lookedAfter(reader: { current(): HostFacts }): FactsSource {
  return {
    current: () => reader.current(),
    follow: (onNews) => {
      let known = reader.current();
      return every(FACTS_LOOK_MS, () => {
        const facts = reader.current();
        if (facts === known) return;
        known = facts;
        onNews();
      });
    },
  };
}
