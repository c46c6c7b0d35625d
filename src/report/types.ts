// The shapes that travel through this room: events become a digest, a digest becomes a message, a message takes
// its routes. All of them are plain data.

import type { Event, Mode } from "../core/events.ts";
import type { runProgram } from "./routes/program.ts";

/** A block that holds while the digest is made. Times as `Date`, ISO 8601 text, or null for "until lifted". */
export type BlockInForce = {
  readonly target: string;
  readonly since: Date | string;
  readonly until: Date | string | null;
  readonly because: string;
  readonly packetsStopped: number;
};

/** A file system, and what is expected of it. Sizes in bytes; `files` counts inodes, 0 where there is no limit. */
export type DiskOutlook = {
  readonly mount: string;
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly sizeFiles: number;
  readonly freeFiles: number;
  /** null when too little is known. */
  readonly bytesPerDay: number | null;
  /** When it will be full if it goes on growing as it did, with the range; null if it will not. */
  readonly fullInMs: number | null;
  readonly fullEarliestMs: number | null;
  readonly fullLatestMs: number | null;
  /** Used bytes, evenly spaced, oldest first. */
  readonly history: readonly number[];
  /** Why it needs a person: little is left, it is full soon, its inodes run out. */
  readonly worry: "little" | "soon" | "files" | null;
  /** Reason enough for a report of its own. */
  readonly pressing: boolean;
};

/** A log that grows more than others. */
export type GrowingLog = { readonly path: string; readonly bytesPerDay: number; readonly sizeBytes: number };

/** Everything a digest is made from. */
export type DigestInput = {
  readonly host: string;
  readonly from: Date;
  readonly to: Date;
  readonly mode: Mode;
  readonly events: readonly Event[];
  readonly blocksInForce: readonly BlockInForce[];
  /** Lines shown in one section before the rest is only counted; 100 when not given. */
  readonly maxLinesPerSection?: number;
  /** Stands in the classic lines as `telltale[PID]`. */
  readonly pid?: number;
  /** A sentence under the summary. */
  readonly preface?: string;
  readonly disks?: readonly DiskOutlook[];
  /** Those that grow most, the fastest first. */
  readonly growing?: readonly GrowingLog[];
};

export type SectionKey =
  | "attacks"
  | "violations"
  | "system"
  | "rotations"
  | "disk"
  | "blocks"
  | "uncovered"
  | "blind";

/** One thing that happened, or many alike. Every text is fit to be shown: hostile characters are written out. */
export type Entry = {
  /** Whole lines, never wrapped, so that they can be searched for. */
  readonly lines: readonly string[];
  /** Telltale's own words about them: how often, how long, why, what to do. */
  readonly notes: readonly string[];
  /** How many events are folded into this entry. */
  readonly count: number;
  readonly firstAt: string;
  readonly lastAt: string;
};

/** What did not fit in a section. */
export type LeftOut = { readonly entries: number; readonly events: number };

export type Section = {
  readonly key: SectionKey;
  readonly title: string;
  readonly entries: readonly Entry[];
  readonly leftOut: LeftOut;
};

/** What happened in one slice of the period, for the chart. */
export type Slice = { readonly at: string; readonly probes: number; readonly blocks: number };

export type Totals = {
  readonly scans: number;
  readonly scanSources: number;
  readonly blocked: number;
  readonly wouldBlock: number;
  readonly cracking: number;
  readonly violations: number;
  readonly system: number;
  readonly rotated: number;
  readonly rotationsFailed: number;
  /** Full, or full soon. */
  readonly disksPressing: number;
  readonly blindSpots: number;
};

export type Digest = {
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly from: string;
  readonly to: string;
  readonly mode: Mode;
  readonly totals: Totals;
  /** A sentence under the summary, or "". */
  readonly preface: string;
  /** Only those with content, most serious first. */
  readonly sections: readonly Section[];
  /** Equal slices of the period, oldest first. */
  readonly series: readonly Slice[];
  /** False when there is nothing to say but what was so before: blocks that still hold, a disk that is still fullish. */
  readonly news: boolean;
  /** True when lines were folded, cut or left out, so that the full text says more than the digest. */
  readonly abridged: boolean;
};

export type Attachment = {
  readonly name: string;
  readonly type: string;
  readonly content: Uint8Array;
  /** Content id of an image that the HTML shows. */
  readonly cid?: string;
};

/** A report on its way out. */
export type Message = {
  /** Unique; the Message-ID is made of it, so that a repeated delivery can be recognised. */
  readonly id: string;
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  readonly attachments?: readonly Attachment[];
  /** Something attacked the host: chat services show it louder. */
  readonly urgent?: boolean;
};

export type WebhookShape = "generic" | "slack" | "mattermost" | "ntfy";

/** One way for a report to leave. `timeoutMs` bounds the whole attempt. */
export type Route =
  | {
      readonly via: "sendmail";
      readonly to: string;
      readonly from?: string;
      /** Path of the program; `/usr/sbin/sendmail` when not given. */
      readonly command?: string;
      /** File with the OpenPGP public key of the reader; without it the mail goes out in the clear. */
      readonly encryptTo?: string;
      readonly timeoutMs?: number;
      /** Runs the program in another way than by starting it here. */
      readonly run?: typeof runProgram;
    }
  | {
      readonly via: "smtp";
      readonly host: string;
      readonly port: number;
      readonly secure?: boolean;
      readonly auth?: { readonly user: string; readonly pass: string };
      readonly to: string;
      readonly from: string;
      /** PEM of the authority that signed the server's certificate, when the system does not know it. */
      readonly ca?: string;
      readonly encryptTo?: string;
      readonly timeoutMs?: number;
    }
  | {
      readonly via: "webhook";
      /** What the configuration calls it, where there are several. */
      readonly name?: string;
      readonly url: string;
      readonly shape: WebhookShape;
      /** Sent as `Authorization: Bearer …`. */
      readonly token?: string;
      readonly timeoutMs?: number;
    }
  | {
      readonly via: "file";
      readonly path: string;
      /** Opens the file for appending in another way than by opening it here; the descriptor is ours then. */
      readonly open?: () => Promise<number>;
    }
  | { readonly via: "stdout" };

/** What became of one message on one route. */
export type DeliveryResult =
  | { readonly route: string; readonly delivered: true }
  | {
      readonly route: string;
      readonly delivered: false;
      readonly why: string;
      readonly mend: string;
      /** False when the same message would be refused again: the spool keeps it, but asks less often. */
      readonly worthRetrying: boolean;
    };
