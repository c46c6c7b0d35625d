// The shapes that travel through this room: what was found of logs and disks, what is expected, what should be done. All of
// them are plain data.

/** The room on one file system at one moment. Sizes in bytes; `files` counts inodes, 0 where there is no limit. */
export type DiskSample = {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly mount: string;
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly sizeFiles: number;
  readonly freeFiles: number;
};

/** How large a log was at the same moment. */
export type LogSample = { readonly path: string; readonly sizeBytes: number; readonly ino: number };

/** Everything looked at together. */
export type Sample = {
  readonly at: string;
  readonly disks: readonly Omit<DiskSample, "at">[];
  readonly logs: readonly LogSample[];
};

/** A file that nobody rotates. */
export type UncoveredLog = {
  readonly path: string;
  readonly sizeBytes: number;
  /** `apache2 (pid 123)`, or "" when nobody has it open for writing. */
  readonly writer: string;
  /** The program's file, and the package it came with; "" when not known. */
  readonly program: string;
  readonly package: string;
  /** null when nothing is known of its past. */
  readonly bytesPerDay: number | null;
  /** Whether growth was measured, or is its size over its age. */
  readonly growthFrom: "samples" | "age" | null;
  /** A stanza for logrotate, ready to paste; "" when its name needs escapes that a stanza has none for. */
  readonly stanza: string;
  /** Why the stanza makes its writer reopen the log like this. */
  readonly stanzaBecause: string;
};

/** What is wrong with the way a log is looked after, other than that nobody does. */
export type Mishandled = {
  readonly how: "matches-nothing" | "covered-twice" | "deleted-open" | "never-reopened";
  readonly path: string;
  readonly sizeBytes: number;
  readonly writer: string;
  readonly why: string;
  readonly mend: string;
  /** The usual case of a fresh install: worth a line for who asks, not a report. */
  readonly usual?: true;
};

/** The journal's place in it all. */
export type JournalUse = {
  readonly directory: string;
  readonly usedBytes: number;
  /** What journald keeps to: its setting, or what it reckons without one (journald.conf(5)). */
  readonly limitBytes: number;
  readonly limitFrom: string;
};

export type CoverageReport = {
  readonly uncovered: readonly UncoveredLog[];
  readonly mishandled: readonly Mishandled[];
  readonly journals: readonly JournalUse[];
  /** Every log that is there, covered or not, whose growth is worth following. */
  readonly logs: readonly string[];
  readonly looked: {
    readonly processes: number;
    readonly descriptors: number;
    readonly files: number /** CPU time of the whole process so far. */;
    readonly cpuMs: number;
  };
  /** There was more than is looked at: what is not named here may exist all the same. */
  readonly cut: boolean;
};

/** What rotation knows about names: which paths it looks after. */
export type Covering = {
  has(path: string): boolean;
  /** The log whose generation this is by its name. */
  generation(path: string): { readonly log: string; readonly compressed: boolean } | null;
  /** Where the stanzas with a pattern for this path stand. */
  placesFor(path: string): readonly string[];
  readonly stanzas: readonly CoveringStanza[];
};

export type CoveringStanza = {
  /** `/etc/logrotate.d/apache2:3`. */
  readonly place: string;
  readonly patterns: readonly string[];
  readonly logs: readonly string[];
  /** A log of it was rotated once. */
  readonly everRotated: boolean;
};

/** What is expected of one file system. */
export type Outlook = Omit<DiskSample, "at"> & {
  /** Net growth; null when there is too little to tell. */
  readonly bytesPerDay: number | null;
  /** When it is full, from now, if it goes on like this: the middle, and the range. null: it will not. */
  readonly fullInMs: number | null;
  readonly fullEarliestMs: number | null;
  readonly fullLatestMs: number | null;
  /** Used bytes over the recorded time, evenly spaced, oldest first. */
  readonly history: readonly number[];
};

/** What is known of one log. */
export type LogOutlook = {
  readonly path: string;
  readonly sizeBytes: number;
  readonly generationBytes: number;
  readonly bytesPerDay: number | null;
  readonly covered: boolean;
};
