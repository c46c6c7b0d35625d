// Keys of [guard]: how the guard itself runs, and who may ask it.
import type { KeyDefinition } from "./kind.ts";

export const GUARD_KEYS = [
  {
    name: "guard.split",
    kind: { is: "choice", of: ["auto", "off"] },
    fallback: "auto",
    summary:
      "auto: started as root, packets and logs are read by a process of user telltale; off: one process as root",
    reason: "whoever finds a fault in the reading of packets must not be root by it",
  },
  {
    name: "guard.jitter",
    kind: { is: "duration", minMs: 0, maxMs: 86_400_000 },
    fallback: "2m",
    summary:
      "longest delay of this host behind hourly, daily, weekly and monthly work; its own is always the same",
    reason:
      "a hundred hosts must not mail in the same second; a time of day that you write is kept to the second",
  },
  {
    name: "guard.control_socket",
    kind: { is: "text" },
    fallback: "",
    summary:
      "where telltale status, reload and stop reach the guard, from its next start on; empty: /run/telltale/control.sock, or in store.directory when that is set",
    reason: "a guard with a store of its own is a guard of its own",
  },
  {
    name: "guard.control_group",
    kind: { is: "text" },
    fallback: "adm",
    summary:
      "group that may ask the guard, from its next start on; empty: root only. Only root may change anything",
    reason: "who may read the logs may see what is found in them",
  },
] as const satisfies readonly KeyDefinition[];
