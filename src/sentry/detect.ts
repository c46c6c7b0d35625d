// Decides when first contacts that failed add up to a scan: Threshold Random Walk (Jung, Paxson, Berger, Balakrishnan,
// "Fast Portscan Detection Using Sequential Hypothesis Testing", S&P 2004). A stranger's first contact with a port
// fails because nobody listens there; honest visitors mostly know where they are going, scanners mostly do not. Each
// failure makes "scanner" four times as likely, each success four times less, and past a ratio of 99 the matter is
// settled. Time plays no part within a month, so a slow scan adds up like a fast one. Pure.
import type { EvidenceGrade, Scan } from "../core/events.ts";
import { isAmbiguous } from "./classify.ts";
import { DEFAULT_SPREAD, type SpreadThresholds } from "./spread.ts";
import { KIND } from "./types.ts";

export type Thresholds = {
  /** Likelihood ratio that makes a scanner. */
  readonly ratio: number;
  /** Bits of weak evidence, of 32, that make a scanner by themselves. */
  readonly weakBits: number;
  /** Weak evidence older than this is forgotten. */
  readonly weakFadeMs: number;
  /** Failures older than this are forgiven. */
  readonly forgetMs: number;
  /** Distinct contacts of a known scanner at which it is told again. */
  readonly escalateAt: readonly number[];
  /** A known scanner that is still at it is told again after this time. */
  readonly repeatMs: number;
  /** Live connections that speak for a crowd behind one address. */
  readonly crowd: number;
  /** Different contacts, as bits of 32, after which an IPv6 /48 counts as scanning as a whole. */
  readonly siteBits: number;
  readonly siteFadeMs: number;
  readonly spread: SpreadThresholds;
};

export const DEFAULT_THRESHOLDS: Thresholds = {
  // (1 - missed)/(false alarms) = .99/.01: the paper's targets of 99 % detected and 1 % of honest sources accused.
  ratio: 99,
  // Late answers of a busy name server touch a few ports in ten minutes; 22 of 32 bits take about 37 different ones.
  weakBits: 22,
  weakFadeMs: 600_000,
  // From a few ports to a sweep, and from a sweep to the whole host.
  escalateAt: [100, 1_000],
  // An office behind one address mistypes something every other month; a scan of one port a week is still seen.
  forgetMs: 30 * 86_400_000,
  // Default blocks last ten minutes; whoever goes on after an hour deserves a second look whatever became of them.
  repeatMs: 3_600_000,
  // A NAT, a proxy or a monitoring host holds this many at a time; a scanner lets go at once.
  crowd: 8,
  // 20 of 32 bits: about 31 different ports.
  siteBits: 20,
  // Counted by the day: the telephones of a town err, too.
  siteFadeMs: 86_400_000,
  spread: DEFAULT_SPREAD,
};

/** How much one failure, or success, moves the likelihood ratio: .8/.2 of the paper. */
export const STEP = 4;

// The same port on another address of this host is what a browser does that tries all the addresses of a name; ACK and
// FIN|ACK also come from connections that this host has forgotten. Both count, but take six instead of four.
const DOUBTFUL_WEIGHT = 0.6;

/** What one failed first contact weighs, in steps. */
export function weightOf(kind: number, portTriedElsewhere: boolean): number {
  return portTriedElsewhere || isAmbiguous(kind) ? DOUBTFUL_WEIGHT : 1;
}

/** The score, in steps, from which on the source is looked at closely. */
export function scoreToReach(thresholds: Thresholds): number {
  return Math.log(thresholds.ratio) / Math.log(STEP);
}

export type Trial = {
  /** Failed first contacts that still look failed after a second look at the socket table. */
  readonly failed: readonly { readonly kind: number; readonly port: number; readonly target: number }[];
  /** Connections to ports in use that the source holds now. */
  readonly connections: number;
  /** Different ports among them. */
  readonly connectedPorts: number;
};

export type Judgement = {
  /** In steps of STEP. */
  readonly score: number;
  readonly scanner: boolean;
  readonly shape: Scan["shape"];
  readonly grade: EvidenceGrade;
  readonly reason: string;
};

/** Weighs what is known of a source whose failures have reached the threshold. */
export function judge(trial: Trial, thresholds: Thresholds): Judgement {
  let failures = 0;
  const tried = new Set<number>();
  for (const { kind, port } of trial.failed) {
    failures += weightOf(kind, tried.has(port));
    tried.add(port);
  }
  const successes = trial.connectedPorts + (trial.connections >= thresholds.crowd ? 1 : 0);
  const score = failures - successes;
  const ratio = STEP ** score;
  return {
    score,
    scanner: ratio >= thresholds.ratio,
    shape: shapeOf(trial.failed),
    grade: trial.connections > 0 ? "proven" : "spoofable",
    reason:
      `${count(trial.failed.length, "first contact")} failed, ${successes} succeeded: ` +
      `likelihood ratio ${Math.round(ratio)} over ${thresholds.ratio}`,
  };
}

/** One port of many addresses, echo requests to many addresses, or many ports. */
export function shapeOf(contacts: Trial["failed"]): Scan["shape"] {
  if (contacts.length > 0 && contacts.every(({ kind }) => kind === KIND.ping)) return "sweep";
  const ports = new Set(contacts.map(({ port }) => port)).size;
  const targets = new Set(contacts.map(({ target }) => target)).size;
  return targets > ports ? "horizontal" : "vertical";
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

/** Which step of `escalateAt` a number of distinct contacts has reached: 0 for none. */
export function levelOf(distinct: number, thresholds: Thresholds): number {
  return thresholds.escalateAt.filter((least) => distinct >= least).length;
}
