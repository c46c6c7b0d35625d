// Keys of [check]: which logs are read, and by which of logcheck's rules.
import type { KeyDefinition } from "./kind.ts";

export const CHECK_KEYS = [
  {
    name: "check.enabled",
    kind: { is: "switch" },
    fallback: true,
    summary: "read logs for trouble",
    reason: "named as off when neither rules nor logs are found",
  },
  {
    name: "check.rules",
    kind: { is: "text" },
    fallback: "/etc/logcheck",
    summary: "folder of logcheck rule directories and logcheck.conf",
    reason: "where Debian's logcheck-database puts them",
  },
  {
    name: "check.level",
    kind: { is: "choice", of: ["auto", "workstation", "server", "paranoid"] },
    fallback: "auto",
    summary: "which ignore directories apply; auto: REPORTLEVEL of logcheck.conf, else server",
    reason: "the same words mean the same as in logcheck",
  },
  {
    name: "check.logs",
    kind: { is: "texts" },
    fallback: [],
    summary: "logs to follow; empty: those of logcheck.logfiles, else the usual ones that exist",
    reason: "what logcheck reads today is read tomorrow",
  },
  {
    name: "check.journal",
    kind: { is: "choice", of: ["auto", "on", "off"] },
    fallback: "auto",
    summary: "follow the systemd journal; auto: when logcheck.logfiles asks for it, or lists nothing",
    reason: "what logcheck reads today is read tomorrow; a line that is in a log file too is reported once",
  },
  {
    name: "check.either_timestamp",
    kind: { is: "switch" },
    fallback: true,
    summary:
      'a rule written for one spelling of the timestamp ("Nov 22 19:51:02" or RFC 3339) accepts the other',
    reason: "rules outlive a syslog daemon's date format; as logcheck, which is always strict, when false",
  },
] as const satisfies readonly KeyDefinition[];
