// Keys of [rotate]: whose stanzas are followed, and how often somebody looks whether a log is due.
import type { KeyDefinition } from "./kind.ts";

const WEEK_MS = 604_800_000;

export const ROTATE_KEYS = [
  {
    name: "rotate.enabled",
    kind: { is: "switch" },
    fallback: true,
    summary: "rotate logs by their schedules",
    reason:
      "named as off when no configuration is found; where it is off, logs that nobody rotates are still named",
  },
  {
    name: "rotate.config",
    kind: { is: "texts" },
    fallback: ["/etc/logrotate.conf"],
    summary: "logrotate configuration files",
    reason: "the ones logrotate itself reads",
  },
  {
    name: "rotate.state",
    kind: { is: "text" },
    fallback: "",
    summary: "rotation state file; empty: logrotate's own where that exists, else one in store.directory",
    reason: "shared with logrotate, so that a log rotated by one is not rotated again by the other",
  },
  {
    name: "rotate.every",
    kind: { is: "schedule", minMs: 1_000, maxMs: WEEK_MS },
    fallback: "1h",
    summary: "when the guard looks whether something is due",
    reason: "hourly logs need an hourly look; one with nothing to do takes milliseconds",
  },
  {
    name: "rotate.roots",
    kind: { is: "texts" },
    fallback: ["/var/log"],
    summary: "folders in which a log without any rotation is pointed out",
    reason: "where software puts its logs when it is not told otherwise",
  },
] as const satisfies readonly KeyDefinition[];
