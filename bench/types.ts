// What a benchmark is: a case of work, and contenders that do that same work, one of them telltale. A run is samples,
// and a sample is numbers: everything that is printed or written down is worked out from these.

/** One number of a sample. The first metric of a case is the one that ratios and verdicts are about. */
export type Metric = {
  readonly key: string;
  readonly title: string;
  readonly unit: Unit;
  readonly better: "less" | "more" | "neither";
  /** The step in which it is counted: less than that is not told from nothing. */
  readonly step?: number;
};

export type Unit = "s" | "ms" | "µs" | "MB" | "MB/s" | "lines/s" | "/s" | "count" | "%";

export type Sample = Readonly<Record<string, number>>;

/** One program, telltale in another setting, or the limit that no program can pass, at the work of a case. */
export type Contender = {
  readonly name: string;
  readonly role: "telltale" | "variant" | "peer" | "limit";
  /** What is run, as a reader would type it: paths of the scratch folder are abbreviated. */
  readonly command: string;
  /** Why it cannot run here. Then it is named in the table and left out. */
  readonly obstacle?: string | null;
  /** For work that takes minutes: fewer rounds than the others, and no warming up. */
  readonly roundsMax?: number;
  /** Each run begins with nothing running, so that there is nothing to warm. */
  readonly isAlwaysCold?: boolean;
  /** Puts the material back to where it was; not measured. */
  before?(): void;
  /** For work that takes longer than the others': minutes after which a run is ended and counts as failed. */
  readonly limitMinutes?: number;
  /** @param signal fires when the time is up: whatever was started has to end then */
  run(signal: AbortSignal): Sample | Promise<Sample>;
};

/** What telltale should reach in a case. */
export type Goal =
  | { readonly metric: string; readonly over: string; readonly ratioAtLeast: number }
  | { readonly metric: string; readonly over: string; readonly within: number }
  | { readonly metric: string; readonly atMost: number };

export type Opened = {
  readonly contenders: readonly Contender[];
  /** Whether all of them did the same work, in words; asked after the last round. */
  agreement?(): string;
  [Symbol.dispose](): void;
};

export type Case = {
  readonly name: string;
  /** The work, in one line, with its size. */
  readonly what: string;
  readonly metrics: readonly Metric[];
  readonly goals: readonly Goal[];
  /** Seconds of a round, for as long as no record knows better. Without it: about a minute. */
  readonly guessS?: number;
  /** Makes the material below `dir`, which is empty and, for root, a tmpfs. */
  open(dir: string): Opened | Promise<Opened>;
};

export type Bench = {
  readonly name: string;
  readonly title: string;
  /** A paragraph for the document: how it is measured, and what the limit is. */
  readonly about: string;
  /** Programs whose versions belong to the record: Debian packages. */
  readonly packages: readonly string[];
  /** Where its figures are written; the default is docs/benchmarks.md. */
  readonly document?: string;
  /** Its own kind of table, heading first, for cases whose contenders are columns. The last column is how telltale stands. */
  rows?(result: CaseResult): string[][];
  /** Tables across its cases: how one figure grows with another. */
  across?(results: readonly CaseResult[]): readonly Table[];
  /** @param scale below 1 shrinks the material, for a short look */
  cases(scale: number): readonly Case[];
};

/** Rows of plain text, heading first. */
export type Table = {
  readonly title: string;
  readonly about: string;
  readonly rows: readonly (readonly string[])[];
};

/** How long a case took: what is done once, a round of everybody, and one without those who run only once. */
export type Duration = { readonly setUpS: number; readonly roundS: number; readonly laterRoundS: number };

/** What is left of a case when it has run. */
export type CaseResult = {
  readonly name: string;
  readonly what: string;
  readonly metrics: readonly Metric[];
  readonly goals: readonly Goal[];
  readonly contenders: readonly ContenderResult[];
  readonly agreement: string | null;
  readonly at: string;
  readonly commit: string;
  /** The machine's load average when the case began: what others were doing. */
  readonly load: number;
  readonly command: string;
  /** Records from before this was kept have none. */
  readonly took?: Duration;
};

export type ContenderResult = {
  readonly name: string;
  readonly role: Contender["role"];
  readonly command: string;
  readonly obstacle: string | null;
  readonly samples: readonly Sample[];
};

/** One bench on one machine on one day; bench/record/NAME-DATE.json. */
export type BenchRecord = {
  readonly bench: string;
  readonly date: string;
  readonly machine: Machine;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly cases: readonly CaseResult[];
};

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly kernel: string;
};

export const WALL: Metric = { key: "wallMs", title: "wall", unit: "ms", better: "less" };
/** time(1) and proc(5) count it in hundredths of a second. */
export const CPU: Metric = { key: "cpuMs", title: "CPU", unit: "ms", better: "less", step: 10 };
export const RSS: Metric = { key: "rssMb", title: "peak memory", unit: "MB", better: "less" };
/** Of several processes: what they share is counted once. At the end of the work, not its peak. */
export const PSS: Metric = { key: "pssMb", title: "memory (PSS)", unit: "MB", better: "less" };
