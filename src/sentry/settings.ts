// Turns the [sentry] section of telltale.toml into what the engine is asked for, so that the guard, the foreground command
// and the replay of a recording decide alike.
import type { Config } from "../config/types.ts";
import { PrefixSet, parsePrefix } from "../core/address.ts";
import type { Thresholds } from "./detect.ts";
import { BYTES_PER_SOURCE } from "./suspects.ts";

/** What decides about a packet, live or recorded. */
export type Watched = {
  readonly tripwirePorts: readonly number[];
  readonly excludePorts: readonly number[];
  readonly ignore: PrefixSet;
  readonly thresholds: Thresholds;
  readonly graceMs: number;
  readonly maxStateBytes: number;
};

/** @param tripwirePorts the section's own and those that PortSentry's configuration adds */
export function watchedBy(keys: Config["sentry"], tripwirePorts: readonly number[]): Watched {
  return {
    tripwirePorts,
    excludePorts: keys.exclude_ports,
    ignore: new PrefixSet(keys.ignore.map((text) => parsePrefix(text)!)),
    thresholds: {
      ratio: keys.ratio,
      forgetMs: keys.forget_after,
      crowd: keys.crowd,
      weakBits: keys.weak_bits,
      weakFadeMs: keys.weak_within,
      siteBits: keys.site_bits,
      siteFadeMs: keys.site_within,
      escalateAt: [keys.escalate_at, keys.escalate_at * 10],
      repeatMs: keys.repeat_after,
      spread: {
        ports: keys.distributed_ports,
        sources: keys.distributed_sources,
        withinMs: keys.distributed_within,
      },
    },
    graceMs: keys.restart_grace,
    maxStateBytes: keys.max_sources * BYTES_PER_SOURCE,
  };
}
