// The shapes of PortSentry's way of working, which counts packets to listed ports where the sentry weighs evidence.
import type { Address } from "../../core/address.ts";

/** Whose wording and files: 1.x logs `attackalert: …`, 2.x `Scan from: […]`. */
export type Wording = 1 | 2;

/** One packet or connection to a watched port. */
export type Sighting = {
  readonly source: Address;
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
  /** `TCP SYN/Normal scan`, `UDP`, `Connect`. */
  readonly type: string;
  /** Whether the IPv4 header had options; unknown for IPv6 and for connections. */
  readonly ipOptions: "set" | "not set" | "unknown";
  readonly at: Date;
  /** From one of this host's addresses to the same: 2.x leaves those alone unless told otherwise. */
  readonly isToItself?: boolean;
};

/** How far the evaluation came: `unset` where an earlier step ended it. */
export type Flag = "true" | "false" | "unset";

export type Outcome = {
  readonly ignored: Flag;
  readonly triggered: Flag;
  readonly noblock: Flag;
  readonly blocked: Flag;
};

/** What a KILL_ key does to a host. */
export type RunnableStep =
  | { readonly do: "route"; readonly command: string }
  | { readonly do: "wrappers"; readonly line: string }
  | { readonly do: "external"; readonly command: string };

/** What a KILL_ key does. */
export type Step =
  | RunnableStep
  /** A line for all targets alike would block whoever it names, again and again; PortSentry leaves it out, too. */
  | { readonly do: "nothing"; readonly key: "KILL_ROUTE" | "KILL_HOSTS_DENY" };
