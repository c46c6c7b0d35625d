// Which time servers this host asks now. Their names in a configuration mean other addresses every hour (pool.ntp.org), and
// chrony closes its socket after each answer, so the daemons themselves are asked, behind whoever wants to know.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { runTool } from "./backends/tool.ts";
import { parseChronySources, parseNtpPeers } from "./parse.ts";

// A daemon changes its servers when one has been silent for a while.
const MAX_AGE_MS = 5 * 60_000;

/** A daemon, and how it is asked. */
export type Daemon = {
  /** Where it is installed there is this file. */
  readonly config: string;
  readonly ask: () => Promise<string>;
  readonly parse: (text: string) => Address[];
};

const DAEMONS: readonly Daemon[] = [
  // Numbers instead of names, and values separated by commas: chronyc(1).
  {
    config: "/etc/chrony/chrony.conf",
    ask: () => runTool("chronyc", ["-n", "-c", "sources"]),
    parse: parseChronySources,
  },
  // Numbers, and addresses in full: ntpq(8).
  { config: "/etc/ntpsec/ntp.conf", ask: () => runTool("ntpq", ["-p", "-n", "-w"]), parse: parseNtpPeers },
  { config: "/etc/ntp.conf", ask: () => runTool("ntpq", ["-p", "-n", "-w"]), parse: parseNtpPeers },
];

export class TimeSources {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #daemons: readonly Daemon[];
  #known: readonly Address[] = [];
  #askedAtMs: number | undefined;

  /** @param root where the configurations are looked for; with a root of one's own the daemons of this machine are not asked */
  constructor(root: string, clock: Clock, daemons: readonly Daemon[] = root === "/" ? DAEMONS : []) {
    this.#root = root;
    this.#clock = clock;
    this.#daemons = daemons;
  }

  /** As the daemons said when they were last asked; none at first. Asks again when that was a while ago. */
  current(): readonly Address[] {
    const nowMs = this.#clock.monotonicMs();
    if (this.#askedAtMs === undefined || nowMs - this.#askedAtMs >= MAX_AGE_MS) {
      this.#askedAtMs = nowMs;
      void this.refresh();
    }
    return this.#known;
  }

  /** Asks the daemons that are installed. Never throws: one that does not answer names nobody, and the last answer stays. */
  async refresh(): Promise<void> {
    const found: Address[] = [];
    let answered = false;
    for (const { config, ask, parse } of this.#daemons) {
      if (!existsSync(join(this.#root, config))) continue;
      try {
        found.push(...parse(await ask()));
        answered = true;
      } catch {
        // Not running, or its tool is not installed: the configuration and the open sockets still count.
      }
    }
    if (answered) this.#known = found;
  }
}
