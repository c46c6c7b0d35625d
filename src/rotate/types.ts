// The shapes that travel through a rotation: stanza → facts → plan → summary. All plain values, so that a plan can
// be printed, kept as JSON, journalled and applied later.
import type { ConfigFault } from "../core/errors.ts";
import type { NameScheme } from "./names/match.ts";
import type { RotationProgress } from "./progress.ts";

/** Where a setting or script stands. Line is 1-based. */
export type Place = { readonly file: string; readonly line: number };

export const SCRIPT_NAMES = ["firstaction", "prerotate", "postrotate", "lastaction", "preremove"] as const;
export type ScriptName = (typeof SCRIPT_NAMES)[number];

/** How the remark about a compressor's own messages begins. */
export const COMPRESSOR_SAID = "Compressing program wrote following message to stderr when compressing log";

/** The text between a script directive and its `endscript`, run as `/bin/sh -c TEXT sh ARGUMENTS`. */
export type Script = { readonly text: string; readonly place: Place };

export type Criterion = "size" | "minutes" | "hourly" | "daily" | "weekly" | "monthly" | "yearly";

/** Whose rights a rotation uses (`su`). */
export type Identity = { readonly uid: number; readonly gid: number };

/** Mode and owner for `create` and `createolddir`; null means: as the file or directory it replaces. */
export type Attributes = {
  readonly mode: number | null;
  readonly uid: number | null;
  readonly gid: number | null;
};

/** Everything a stanza can say, resolved: globals below, the stanza's own words on top. */
export type Settings = {
  criterion: Criterion;
  /** For criterion `size`. */
  sizeBytes: number;
  /** For criterion `minutes`. */
  everyMinutes: number;
  /** For `weekly`: 0 is Sunday, 7 means every seven days on whatever weekday. */
  weekday: number;
  /** For `monthly`: 0 means the first run in a month, else the first run on or after that day. */
  monthDay: number;
  minSizeBytes: number;
  maxSizeBytes: number;
  minAgeDays: number;
  maxAgeDays: number;
  /** Generations kept; -1 keeps all, 0 keeps none. */
  rotate: number;
  start: number;
  missingOk: boolean;
  ifEmpty: boolean;
  ignoreDuplicates: boolean;
  allowHardLink: boolean;
  create: Attributes | null;
  olddir: string | null;
  createOlddir: Attributes | null;
  su: Identity | null;
  copy: "no" | "copy" | "copytruncate" | "renamecopy";
  compress: boolean;
  delayCompress: boolean;
  compressCommand: string;
  uncompressCommand: string;
  compressExt: string;
  compressOptions: readonly string[];
  extension: string | null;
  addExtension: string | null;
  dateExt: boolean;
  /** null: the default of the criterion. */
  dateFormat: string | null;
  dateYesterday: boolean;
  dateHourAgo: boolean;
  mail: string | null;
  mailFirst: boolean;
  /** Where failures of this stanza's rotation are mailed (`errors ADDRESS`). */
  errors: string | null;
  shred: boolean;
  /** 0: shred's own default. */
  shredCycles: number;
  sharedScripts: boolean;
};

/** One `patterns { … }` of a configuration, ready to be planned. */
export type LogStanza = {
  /** Number in reading order, unique in one `Rotation`. */
  readonly id: number;
  readonly place: Place;
  /** The pattern text as it was written before `{`: what shared scripts get as their argument. */
  readonly patternText: string;
  /** The single patterns, unquoted, tilde expanded. */
  readonly patterns: readonly string[];
  /** The paths the patterns matched; a pattern that matched nothing stands for itself. */
  readonly logs: readonly string[];
  readonly settings: Readonly<Settings>;
  readonly scripts: Readonly<Partial<Record<ScriptName, Script>>>;
  /** Directive → where its setting in force was written; a directive not in here has its default. */
  readonly origins: Readonly<Record<string, Place>>;
};

/** Something worth telling about the reading of a configuration. */
export type LoadNote = {
  readonly text: string;
  /** So many of the faults had been found by then. */
  readonly afterFaults: number;
};

/** What the configuration says, with everything that was wrong in it. */
export type Rotation = {
  readonly faults: readonly ConfigFault[];
  /** What reading it passed by, for those who ask what a run did: `reading config file /etc/logrotate.conf`. */
  readonly notes?: readonly LoadNote[];
  readonly stanzas: readonly LogStanza[];
};

/** What `lstat` says of one path. Times in milliseconds since the epoch. */
export type FileFact = {
  readonly path: string;
  readonly kind: "file" | "link" | "directory" | "other";
  readonly dev: number;
  readonly ino: number;
  readonly links: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
};

/** What the machine says about one log before it is planned. */
export type LogFacts = {
  /** As the stanza names it. */
  readonly path: string;
  /** null when it is not there. */
  readonly log: FileFact | null;
  /** Why the log could not be looked at, other than that it is not there: `EACCES`. */
  readonly trouble: string | null;
  /** The directory that holds the log. */
  readonly parent: FileFact | null;
  /** Files in the rotation directory whose names this stanza could have given to this log. */
  readonly generations: readonly FileFact[];
  /** What its generations are called, and where they go. */
  readonly scheme: NameScheme;
  /** What is there; null when nothing is. */
  readonly rotationDirectory: FileFact | null;
  /** The state file's stamp, milliseconds since the epoch; null when the log was never seen. */
  readonly lastRotatedMs: number | null;
};

export type Compressor = {
  readonly command: string;
  readonly options: readonly string[];
};

/** One thing a rotation does. Paths are absolute. */
export type RotationStep =
  | { readonly do: "mkdir"; readonly path: string; readonly attributes: Attributes }
  | {
      readonly do: "compress";
      readonly from: string;
      readonly to: string;
      readonly with: Compressor;
      readonly sizeBytes: number;
      /** Inode of the file when it was planned; null when the rotation itself makes it. */
      readonly ino: number | null;
      /** The times the compressed file gets; null: those of the uncompressed one. */
      readonly times: Pick<FileFact, "atimeMs" | "mtimeMs"> | null;
      /** Runs before the uncompressed file goes. */
      readonly preremove: ScriptStep | null;
      /** How the uncompressed file goes: null for unlink, else shred's cycles (0 for its default). */
      readonly shred: number | null;
    }
  | {
      readonly do: "rename";
      readonly from: string;
      readonly to: string;
      readonly ifThere: boolean;
      /** As for `compress`. */
      readonly ino: number | null;
    }
  | {
      readonly do: "remove";
      readonly path: string;
      readonly because: "rotate" | "maxage";
      readonly sizeBytes: number;
      /** As for `compress`. */
      readonly ino: number | null;
      /** null: unlink; otherwise shred with so many cycles, 0 for shred's default. */
      readonly shred: number | null;
    }
  | {
      readonly do: "create";
      readonly path: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      /** Where the old log is by then, whose access control list the new one gets; null when the mode was prescribed. */
      readonly accessFrom: string | null;
      /** Where the old log is by then, whose SELinux label the new one gets in any case. */
      readonly labelFrom: string;
    }
  | {
      readonly do: "copy";
      readonly from: string;
      readonly to: string;
      readonly truncate: boolean;
      readonly sizeBytes: number;
    }
  | { readonly do: "truncate"; readonly path: string }
  | {
      readonly do: "mail";
      readonly path: string;
      readonly to: string;
      readonly subject: string;
      /** Command that writes the file's plain text to stdout; null when the file is not compressed. */
      readonly uncompress: string | null;
    }
  | { readonly do: "unlink"; readonly path: string }
  | ScriptStep;

export type ScriptStep = {
  readonly do: "script";
  readonly name: ScriptName;
  readonly script: Script;
  readonly args: readonly string[];
};

/** What the logs of one stanza share when they are rotated. */
export type StanzaPlan = {
  readonly id: number;
  readonly place: Place;
  readonly patternText: string;
  readonly shared: boolean;
  readonly su: Identity | null;
  readonly errors: string | null;
  readonly firstaction: ScriptStep | null;
  /** Only with `sharedscripts`; otherwise each log carries its own. */
  readonly prerotate: ScriptStep | null;
  readonly postrotate: ScriptStep | null;
  readonly lastaction: ScriptStep | null;
};

/** What would happen to one log, and why. */
export type LogPlan = {
  readonly log: string;
  readonly stanza: StanzaPlan;
  /** `rotate`: steps follow; `skip`: nothing to do; `fail`: should have been looked after, and cannot be. */
  readonly verdict: "rotate" | "skip" | "fail";
  /** It was due, and something is in its way: `firstaction` and `lastaction` of its stanza run all the same. */
  readonly blocked?: true;
  readonly why: string;
  /** What the administrator can do, for `fail`. */
  readonly mend: string;
  /** When it was last rotated, ISO 8601; null when never seen. */
  readonly lastRotated: string | null;
  /** The log as it was when the plan was made; a plan is refused when the log has changed identity. */
  readonly seen: FileFact | null;
  /** Before `prerotate`: delayed compression, removals, renumbering. */
  readonly before: readonly RotationStep[];
  /** The log itself: rename and create, or copy and truncate. */
  readonly rotate: readonly RotationStep[];
  /** After `postrotate`: compression, mail, the last removal. */
  readonly after: readonly RotationStep[];
  readonly prerotate: ScriptStep | null;
  readonly postrotate: ScriptStep | null;
  /** Where the log's present content will be once all is done; null when it is not kept. */
  readonly finalPath: string | null;
  readonly bytesFreed: number;
  /** A generation is moved over one that was left beyond the range, or is a directory: its way must not be shortened. */
  readonly stepByStep?: true;
};

export type RotationSummary = {
  readonly logs: number;
  readonly rotated: number;
  readonly failed: number;
  readonly skipped: number;
  readonly bytesFreed: number;
  /** 0; 1 when a log failed or the configuration had faults; 3 when the state could not be locked: another rotation was running. */
  readonly exitStatus: 0 | 1 | 3;
};

export type RotateOptions = {
  /** Configuration files or directories, in order. */
  readonly configs: readonly string[];
  /** logrotate's state file; `/dev/null` keeps none. */
  readonly statePath: string;
  /** Rotate whether due or not. */
  readonly force?: boolean;
  /**
   * Whether to do as logrotate does in the two matters where telltale does otherwise and a user could depend on logrotate's
   * way: with `sharedscripts`, one log that cannot be looked after keeps the others from rotating; pipes and sockets are logs.
   */
  readonly strict?: boolean;
  /** Only these logs. */
  readonly only?: readonly string[];
  /** The present moment; the clock when left out. */
  readonly now?: Date;
  /** How many files are compressed at once; the number of cores when left out. */
  readonly compressors?: number;
  /** Command and leading arguments for mail; `/usr/bin/mail` when left out. */
  readonly mailCommand?: readonly string[];
  /** Whether scripts write to our stdout and stderr; otherwise the end of what a failing one says is in the error. */
  readonly inherit?: boolean;
  /** What to do when another rotation holds the state: give up (when left out), wait, or not lock at all. */
  readonly lock?: "fail" | "wait" | "skip";
  /** Descriptor that scripts get as their descriptor 3. */
  readonly scriptLog?: number;
  /** Told of each stanza's plans right before they are carried out. */
  readonly observe?: (stanza: LogStanza, plans: readonly LogPlan[]) => void;
  readonly signal?: AbortSignal;
  /** Kept up to date while the run lasts. */
  readonly progress?: RotationProgress;
  /** Plan each stanza as a whole, for whoever talks about it; otherwise large ones come in batches. */
  readonly whole?: boolean;
};
