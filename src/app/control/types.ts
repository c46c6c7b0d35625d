// What is said over the control socket: one request a connection, JSON in one line each way. `events` is answered by one
// line and then by an event a line, for as long as the client listens. `GET /metrics` is answered as HTTP.
import type { ConfigFault } from "../../core/errors.ts";
import type { Event, Mode, Part } from "../../core/events.ts";
import type { ShownBlock } from "../shown-blocks.ts";

export const REQUESTS = ["status", "blocks", "metrics", "events", "reload", "stop"] as const;
export type Request = (typeof REQUESTS)[number];

/** Those that change something, and are root's. */
export const CHANGING: readonly Request[] = ["reload", "stop"];

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string; readonly mend: string };

/** What a reload did: took up these changes, or refused these faults and changed nothing. */
export type ReloadOutcome =
  | { readonly changes: readonly string[] }
  | { readonly faults: readonly ConfigFault[] };

/** What happened since midnight, local time. */
export type TodayFigures = {
  /** ISO 8601. Later than midnight when the history did not reach further back. */
  readonly since: string;
  readonly scans: number;
  /** Distinct ports and addresses that the scans touched. */
  readonly probes: number;
  readonly blocks: number;
  /** Verdicts that would have been blocks, in observe mode. */
  readonly wouldBlock: number;
  readonly linesFound: number;
  readonly rotations: number;
  readonly rotationsFailed: number;
  readonly reports: number;
  readonly reportsFailed: number;
  readonly packetsLost: number;
  readonly linesSkipped: number;
};

export type PartRow = { readonly part: Part; readonly on: boolean; readonly lines: readonly string[] };

export type GuardStatus = {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly uptimeMs: number;
  readonly mode: Mode;
  /** Why it does not block although it was asked to; empty otherwise. */
  readonly modeBecause: string;
  readonly configFiles: readonly string[];
  readonly parts: readonly PartRow[];
  readonly today: TodayFigures;
  readonly blocksInForce: number;
  readonly reportsWaiting: number;
  /** Soonest first; times in ISO 8601. */
  readonly next: readonly { readonly what: string; readonly at: string }[];
  readonly memoryBytes: number;
  /** Of all processes of the guard since its start, user and system. */
  readonly cpuMs: number;
  readonly faults: readonly ConfigFault[];
};

/** The guard, as the control socket sees it. */
export type Controlled = {
  status(): Promise<GuardStatus> | GuardStatus;
  /** Who is locked out; null where whoever asks has to read the history. */
  blocks(): Promise<readonly ShownBlock[] | null>;
  /** Prometheus text. */
  metrics(): Promise<string> | string;
  reload(): Promise<ReloadOutcome>;
  /** Begins to stop; does not wait for the end. */
  stop(because: string): void;
  /** Calls the listener with each event from now on, until the function it returns is called. */
  subscribe(listener: (event: Event) => void): () => void;
};
