// Keys of [store]: where the history lives, and for how long.
import type { KeyDefinition } from "./kind.ts";

const MINUTE_MS = 60_000;
const WEEK_MS = 604_800_000;

export const STORE_KEYS = [
  {
    name: "store.directory",
    kind: { is: "text" },
    fallback: "",
    summary: "where history lives; empty: /var/lib/telltale, or ~/.local/state/telltale when not root",
    reason: "the place the Filesystem Hierarchy Standard names for it",
  },
  {
    name: "store.keep",
    kind: { is: "duration", minMs: MINUTE_MS, maxMs: 520 * WEEK_MS },
    fallback: "90d",
    summary: "how long events are kept",
    reason: 'a quarter covers slow scans and the question "since when?"',
  },
  {
    name: "store.max_events",
    kind: { is: "count", min: 1_000, max: 100_000_000 },
    fallback: 1_000_000,
    summary: "events kept at most; the oldest go first",
    reason: "about 500 MB; whoever fills the log must not fill the disk",
  },
] as const satisfies readonly KeyDefinition[];
