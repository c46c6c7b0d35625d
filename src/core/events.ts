// What the rooms say to each other, to the store, to the console and to `--json`: plain JSON values, each with
// a schema version, a time-ordered id and the host it happened on, so that they can cross a wire one day.
// Detection (`scan.detected`, `line.found`), decision (`verdict.reached`) and action (`block.applied`) are three things.
import type { Address } from "./address.ts";
import type { ConfigFault } from "./errors.ts";

export const EVENT_SCHEMA_VERSION = 1;

/** What the guard may do to a scanner: write down what it would have done, or do it. */
export type Mode = "observe" | "block";

/** The parts that can be off or fail one by one while the others carry on. */
export type Part =
  | "rotate"
  | "check"
  | "sentry"
  | "respond"
  | "report"
  | "store"
  | "config"
  | "disk"
  | "listener"
  | "control";

/** logcheck's three layers, most serious first. */
export type Layer = "cracking" | "violations" | "system";

/** A rule and where it stands. */
export type RulePlace = { readonly file: string; readonly line: number; readonly text: string };

export type ProbeKind =
  | "syn"
  | "connect"
  | "fin"
  | "null"
  | "xmas"
  | "maimon"
  | "ack"
  | "flags"
  | "udp"
  | "sctp"
  | "protocol"
  | "ping";

/** One packet, or one connection, to something that is not there. */
export type Probe = {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly source: Address;
  readonly target: Address;
  readonly protocol: "tcp" | "udp" | "sctp" | "icmp" | "ip";
  /** Destination port; the protocol number for kind `protocol`, 0 for `ping`. */
  readonly port: number;
  readonly kind: ProbeKind;
  /** TCP flags as `SYN|FIN`, for kind `flags`. */
  readonly flags?: string;
  readonly interface?: string;
};

/** `proven`: the source completed a handshake; `spoofable`: anybody could have written its address there. */
export type EvidenceGrade = "proven" | "spoofable";

/** What was seen of one source when it crossed a threshold. */
export type Scan = {
  readonly source: Address;
  /** Many ports of one address, one port of many addresses, a tripwire port, or flags no stack sends. */
  readonly shape: "vertical" | "horizontal" | "tripwire" | "flags" | "sweep";
  readonly grade: EvidenceGrade;
  readonly firstAt: string;
  readonly lastAt: string;
  /** Distinct (target, protocol, port) triples counted so far. */
  readonly distinct: number;
  /** Why this is a scan, with the numbers: `4 of 4 first contacts failed, ratio 256 over 99`. */
  readonly reason: string;
  /** A tool whose habits most of the probes show: `nmap`. Anybody can imitate them, so it is a hint and no proof. */
  readonly hint?: string;
  /** The evidence, oldest first, at most a few dozen. */
  readonly probes: readonly Probe[];
};

/** Many sources, none of which did enough to be called a scanner, that together walk through the ports of this host. */
export type DistributedScan = {
  readonly firstAt: string;
  readonly lastAt: string;
  /** Distinct sources, estimated; each of them may be forged. */
  readonly sources: number;
  /** Distinct ports that they tried. */
  readonly ports: number;
  /** First contacts in all: about as many as ports, because they hardly overlap. */
  readonly contacts: number;
  readonly reason: string;
  readonly hint?: string;
  /** The last of the evidence, oldest first, each probe with its own source. */
  readonly probes: readonly Probe[];
};

/** What we think should happen, and why; not yet what happened. */
export type Verdict = {
  readonly source: Address;
  /** The address or prefix a block would cover. */
  readonly target: string;
  readonly action: "ignore" | "watch" | "throttle" | "block";
  /** How long, in milliseconds; 0 unless `action` is `throttle` or `block`. */
  readonly forMs: number;
  readonly mode: Mode;
  readonly because: string;
  /** The guardrail that protects the source, when one does: `default gateway of eth0`. */
  readonly guardrail?: string;
  /** The circuit breaker made a `watch` of what would have been a block. */
  readonly refusedBy?: "breaker";
  /** Id of the event that gave rise to it. */
  readonly findingId: string;
};

/** Whether a part runs, and what it watches or why it is off. */
export type PartStatus = { readonly part: Part; readonly on: boolean; readonly what: string };

/** Why a block ended; `aggregated`: the block of its whole network took its place. */
export type LiftCause = "expired" | "administrator" | "guardrail" | "shutdown" | "aggregated";

export type EventBody =
  | { type: "guard.started"; version: string; mode: Mode; parts?: readonly PartStatus[] }
  | { type: "guard.stopped"; because: string }
  | { type: "part.failed"; part: Part; why: string; mend: string; stillRuns: string }
  | { type: "part.recovered"; part: Part; how: string }
  | { type: "config.reloaded"; changes: readonly string[] }
  | { type: "config.rejected"; faults: readonly ConfigFault[] }
  | { type: "config.faulty"; faults: readonly ConfigFault[] }
  | { type: "scan.detected"; scan: Scan }
  // About a pattern: it accuses no source, so nobody is blocked for it.
  | { type: "scan.distributed"; scan: DistributedScan }
  | { type: "packets.lost"; count: number; where: "ring" | "queue" }
  | { type: "sources.evicted"; count: number; because: string }
  | { type: "scans.withheld"; count: number; because: string }
  | { type: "line.found"; layer: Layer; source: string; line: string; rule?: RulePlace }
  | { type: "lines.skipped"; source: string; count: number; because: string }
  | { type: "log.unreadable"; path: string; why: string; mend: string }
  | { type: "log.shrank"; path: string; fromBytes: number; toBytes: number }
  | { type: "log.silent"; path: string; lastAt: string; quietMs: number; usualLongestMs: number }
  | { type: "verdict.reached"; verdict: Verdict }
  | {
      type: "block.applied";
      target: string;
      until: string;
      because: string;
      findingId: string;
      /** The backend that confirmed it: `nftables`. */
      via?: string;
      /** The target may still open a few connections a minute. */
      throttled?: true;
    }
  | { type: "block.failed"; target: string; why: string; mend: string; findingId: string }
  | { type: "block.lifted"; target: string; cause: LiftCause; packetsStopped: number }
  | {
      type: "log.rotated";
      log: string;
      to: string;
      sizeBytes: number;
      because: string;
      /** With copytruncate: bytes that came while the last of the log was copied, a measure of what may have been lost after. */
      bytesAtRisk?: number;
      /** What went well today and may not tomorrow: a writer that will leave a hole. */
      warning?: string;
    }
  // A file that a `[retention.NAME]` group or a disk limit removed.
  | { type: "log.pruned"; path: string; sizeBytes: number; because: string }
  | { type: "rotation.failed"; log: string; why: string; mend: string }
  | {
      type: "log.uncovered";
      path: string;
      sizeBytes: number;
      writer: string;
      mend: string;
      /** The package its writer came with. */
      package?: string;
      bytesPerDay?: number;
    }
  // Some rotation names it, and yet it is not kept in bounds.
  | {
      type: "log.mishandled";
      how: "matches-nothing" | "covered-twice" | "deleted-open" | "never-reopened";
      path: string;
      sizeBytes: number;
      writer: string;
      why: string;
      mend: string;
    }
  // Far beyond its habit; `templates` are the kinds of lines that take most of it, what varies masked.
  | {
      type: "log.surged";
      path: string;
      sizeBytes: number;
      bytesPerDay: number;
      usualBytesPerDay: number;
      templates: readonly { readonly text: string; readonly count: number }[];
    }
  | { type: "log.compressed"; path: string; to: string; sizeBytes: number; toBytes: number; because: string }
  // How full file systems and how large logs were at one moment: the past that outlooks are made of.
  | {
      type: "disk.sampled";
      disks: readonly {
        readonly mount: string;
        readonly sizeBytes: number;
        readonly freeBytes: number;
        readonly sizeFiles: number;
        readonly freeFiles: number;
      }[];
      logs: readonly { readonly path: string; readonly sizeBytes: number; readonly ino: number }[];
    }
  // A limit under `[disk]` is crossed or about to be: what is done about it follows, event by event.
  | { type: "disk.pressed"; mount: string; freeBytes: number; sizeBytes: number; why: string; stages: string }
  | { type: "disk.relieved"; mount: string; freeBytes: number; bytesFreed: number; why: string }
  | { type: "disk.filling"; mount: string; freeBytes: number; sizeBytes: number; why: string; mend: string }
  | { type: "report.delivered"; route: string; subject: string }
  | { type: "report.failed"; route: string; why: string; mend: string };

/** An event as it is stored and printed. */
export type Event = EventBody & {
  readonly v: typeof EVENT_SCHEMA_VERSION;
  readonly id: string;
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly at: string;
};

/** How a room speaks. The stamp (id, host, time) is put on by whoever listens; the stamped event comes back. */
export type Emit = (body: EventBody) => Event;
