// The guards that can stand before the host of a scene: none, telltale, and the peers, each set up to block as its own
// documentation recommends, and asked for its cost when the scene is over.
import { crowdsec } from "./guards/crowdsec.ts";
import { fail2ban } from "./guards/fail2ban.ts";
import { portsentry } from "./guards/portsentry.ts";
import { psad } from "./guards/psad.ts";
import { scanlogd } from "./guards/scanlogd.ts";
import { telltale } from "./guards/telltale.ts";
import type { Guard } from "./guards/types.ts";

/** A host that nobody guards. */
export const unguarded: Guard = {
  name: "no guard",
  role: "peer",
  command: "nothing",
  obstacle: null,
  blocks: false,
  start: async () => ({ cost: () => ({}), alarms: () => [] }),
};

// Named, so that nobody wonders whether it was forgotten.
const sshguard: Guard = {
  name: "sshguard",
  role: "peer",
  command: "sshguard",
  obstacle: "its parser knows logins, and no line that tells of a scan",
  blocks: true,
  start: async () => ({ cost: () => ({}), alarms: () => [] }),
};

/**
 * telltale as it comes, and without its kernel tripwire.
 * @param settings further lines of [respond]
 * @param isTimed whether a reader notes the moment of each word
 */
export function ourGuards(settings: string, isTimed = false): Guard[] {
  const kernel = (value: string) => [value, settings].filter((line) => line !== "").join("\n");
  return [
    telltale("telltale", "telltale", kernel("kernel = true"), isTimed),
    telltale("telltale in user space", "variant", kernel("kernel = false"), isTimed),
  ];
}

/** Everybody who locks scanners out, and nobody at all. */
export const blockingGuards = (settings: string): Guard[] => [
  ...ourGuards(settings),
  unguarded,
  portsentry("PortSentry", ["-atcp"]),
  psad,
  fail2ban,
  crowdsec,
  sshguard,
];

/** Everybody who notices scans. PortSentry's limits are its own: ports below 1,024, or the list of Debian's file. */
export const watchingGuards = (): Guard[] => [
  ...ourGuards(""),
  portsentry("PortSentry -atcp -audp", ["-atcp", "-audp"], 1_024),
  portsentry("PortSentry -stcp -sudp", ["-stcp", "-sudp"]),
  scanlogd,
  psad,
  fail2ban,
  crowdsec,
];
