// Keys of [disk]: how disks are watched, and what may be removed when one gets full. As written here, nothing is.
import type { KeyDefinition } from "./kind.ts";

const WEEK_MS = 604_800_000;

export const DISK_KEYS = [
  {
    name: "disk.enabled",
    kind: { is: "switch" },
    fallback: true,
    summary: "watch how logs grow, which nobody rotates, and when disks will be full",
    reason: "looking costs a thousandth of a core; nothing is removed unless a limit below is set",
  },
  {
    name: "disk.every",
    kind: { is: "duration", minMs: 1_000, maxMs: WEEK_MS },
    fallback: "1m",
    summary: "how often sizes are looked at; who writes what is looked at less often where that is costly",
    reason: "a log that moved out of rotation's sight is named within a minute",
  },
  {
    name: "disk.max_log_bytes",
    kind: { is: "size" },
    fallback: "0",
    summary: "logs of one file system are kept below this (500M, 20G); 0: no limit",
    reason: "nothing is removed unasked: a limit you write is what asks",
  },
  {
    name: "disk.min_free",
    kind: { is: "room" },
    fallback: "0",
    summary: "logs give way when less than this is free: a share (10%) or a size (2G); 0: they never do",
    reason: "as above; below a tenth the report warns in any case",
  },
  {
    name: "disk.keep_high",
    kind: { is: "texts" },
    fallback: ["/var/log/audit/*", "/var/log/auth.log", "/var/log/secure", "/var/log/wtmp", "/var/log/btmp"],
    summary: "logs (paths with wildcards) whose generations these limits never remove",
    reason: "what tells of a break-in must not be what a flood of lines pushes out",
  },
  {
    name: "disk.keep_low",
    kind: { is: "texts" },
    fallback: [],
    summary: "logs whose generations go first",
    reason: "what is of no use after a day is known to you alone",
  },
  {
    name: "disk.min_generations",
    kind: { is: "count", min: 0, max: 10_000 },
    fallback: 1,
    summary: "so many generations of each log stay, whatever the limits say",
    reason: "the night before is what somebody wants to read in the morning",
  },
  {
    name: "disk.reserve",
    kind: { is: "size" },
    fallback: "16M",
    summary: "a file of this size on each limited file system, given up first when it is full; 0: none",
    reason: "compressing and rotating need a little room of their own",
  },
] as const satisfies readonly KeyDefinition[];
