// Turns a scan into a verdict. Pure: the same scan, history, guardrails, load, time and chance always give the same
// answer, so the rules can be read, and tested, as a table.
import { type Address, familyOf, formatPrefix, type Prefix, prefixOf } from "../core/address.ts";
import { formatDuration } from "../core/duration.ts";
import type { EvidenceGrade, Mode, Scan, Verdict } from "../core/events.ts";
import type { BlockLimits } from "./types.ts";

export type DecideInput = {
  readonly scan: Scan;
  readonly findingId: string;
  readonly history: SourceHistory;
  readonly mode: Mode;
  /** Why nothing in this prefix may be blocked, or null. Asked about the source, then about its network. */
  readonly guardrails: (target: Prefix) => string | null;
  /** Why a block of this prefix must be short unless somebody confirms it, or null. */
  readonly provisional: (target: Prefix) => string | null;
  /** Whether a first scan on forgeable evidence is slowed down only. */
  readonly firstOffence: "block" | "throttle";
  /** Whether the firewall here can slow a source down. */
  readonly canThrottle: boolean;
  /** How many other proven scanners of the target's network are known. */
  readonly neighbours: (target: Prefix) => number;
  readonly limits: BlockLimits;
  readonly load: Load;
  readonly now: Date;
  /** A number in [0, 1) that decides the jitter. */
  readonly chance: number;
};

/** What is known of a target from before. */
export type SourceHistory = {
  /** The block that covers the source now, if any. */
  readonly inForce: (target: Prefix) => Standing | null;
  /** Blocks of this target in the time that counts (`limits.forgetMs`), those lifted by hand not excepted. */
  readonly times: (target: Prefix) => number;
  /** Whether this target was let off with being watched a while ago, for want of a way to slow it down. */
  readonly letOff: (target: Prefix) => boolean;
};

export type Standing = {
  readonly since: Date;
  readonly until: Date;
  readonly grade: EvidenceGrade;
  readonly throttled: boolean;
};

/** How busy the responder is. */
export type Load = { readonly newInLastMinute: number; readonly inForce: number };

/** The verdict on one scan. In mode `observe` a verdict `block` says what would have been done. */
export function decide(input: DecideInput): Verdict {
  const { scan, mode, limits, load, findingId, now } = input;
  const source: Prefix = whole(scan.source);
  const say = (action: Verdict["action"], because: string, more: Partial<Verdict> = {}): Verdict => ({
    source: scan.source,
    target: scan.source,
    action,
    forMs: 0,
    mode,
    because,
    findingId,
    ...more,
  });

  const guardrail = input.guardrails(source);
  if (guardrail !== null) return say("ignore", `never blocked: ${guardrail}`, { guardrail });

  const target = targetFor(scan.source, input.guardrails);
  const standing = input.history.inForce(target);
  const upgrade = standing !== null && isUpgrade(standing, scan);
  if (standing !== null && standing.until > now && !upgrade) {
    const already = standing.throttled ? "slowed down" : "blocked";
    return say("ignore", `already ${already} until ${standing.until.toISOString()}`, {
      target: formatPrefix(target),
    });
  }
  const full = upgrade ? null : capReached(load, limits);
  if (full !== null) {
    const network = aggregateOf(target, input);
    if (network === null) return say("watch", `circuit breaker: ${full}`, { refusedBy: "breaker" });
    const others = `${input.neighbours(target)} other proven scanners of ${formatPrefix(network)}`;
    const forMs = blockTimeMs(input.history.times(network), scan.grade, limits, input.chance);
    return say("block", `${scan.reason}; ${others}, and ${full}`, { target: formatPrefix(network), forMs });
  }

  const throttledNow = standing?.throttled === true && standing.until > now;
  const before = input.history.times(target) - (throttledNow ? 1 : 0);
  const firstWeak =
    before === 0 && !throttledNow && scan.grade === "spoofable" && isWeak(scan, input.firstOffence);
  if (firstWeak && !input.canThrottle && !input.history.letOff(target))
    return say("watch", `${scan.reason}; a first offence is slowed down, which this firewall cannot`, {
      target: formatPrefix(target),
    });
  if (firstWeak && input.canThrottle) {
    const forMs = blockTimeMs(0, scan.grade, limits, input.chance);
    return say("throttle", `${scan.reason}; a first offence, on evidence that could be forged`, {
      target: formatPrefix(target),
      forMs,
    });
  }
  const grownMs = blockTimeMs(before, scan.grade, limits, input.chance);
  const provisional = input.provisional(target);
  // The dead man's switch: whoever is not cut off can block for longer by hand, whoever is waits this long.
  const forMs = provisional === null ? grownMs : Math.min(grownMs, limits.provisionalMs);
  const lasting = `telltale block ${formatPrefix(target)} --for ${formatDuration(grownMs).replaceAll(" ", "")}`;
  const unless =
    provisional === null ? "" : `; provisional, because ${provisional}; to make it last: ${lasting}`;
  const warned = throttledNow ? ", although slowed down" : "";
  const again =
    before <= 0 ? warned : `${warned}, blocked ${before} ${before === 1 ? "time" : "times"} before`;
  return say("block", `${scan.reason}${again}${unless}`, { target: formatPrefix(target), forMs });
}

// The kernel and the sentry tell of one burst each in its own time, and what was on the wire when the source was slowed down
// is not going on.
const SETTLES_MS = 3_000;

function isUpgrade(standing: Standing, scan: Scan): boolean {
  if (standing.grade === "spoofable" && scan.grade === "proven") return true;
  // Whoever goes on although slowed down has had its warning.
  return standing.throttled && Date.parse(scan.lastAt) >= standing.since.getTime() + SETTLES_MS;
}

function capReached({ newInLastMinute, inForce }: Load, limits: BlockLimits): string | null {
  if (newInLastMinute >= limits.maxPerMinute)
    return `${newInLastMinute} new blocks in the last minute, at most ${limits.maxPerMinute} allowed`;
  if (inForce >= limits.maxInForce) return `${inForce} blocks in force, at most ${limits.maxInForce} allowed`;
  return null;
}

// The whole network, when the cap is reached by scanners of it that cannot be forged; never one that holds somebody
// who is protected or has logged in from there lately.
function aggregateOf(target: Prefix, input: DecideInput): Prefix | null {
  const { aggregateFrom } = input.limits;
  if (input.scan.grade !== "proven" || aggregateFrom === 0) return null;
  if (input.neighbours(target) + 1 < aggregateFrom) return null;
  const network = networkOf(target);
  return input.guardrails(network) === null && input.provisional(network) === null ? network : null;
}

/** The network that is blocked in place of many of its addresses. */
export function networkOf({ base }: Prefix): Prefix {
  // The smallest that is routed on its own; over IPv6 a site, of which each customer network is one /64.
  return prefixOf(base, familyOf(base) === 4 ? 24 : 48);
}

// A ping sweep has learned who is there and nothing more.
function isWeak(scan: Scan, firstOffence: DecideInput["firstOffence"]): boolean {
  return firstOffence === "throttle" || scan.shape === "sweep";
}

/**
 * How long the next block lasts, in whole seconds of milliseconds.
 * @param before how many blocks this target has had in the time that counts
 * @param chance in [0, 1): 0 takes the whole jitter away, nearly 1 adds it
 */
export function blockTimeMs(
  before: number,
  grade: EvidenceGrade,
  limits: BlockLimits,
  chance: number,
): number {
  const cap = grade === "proven" ? limits.capMs : Math.min(limits.capMs, limits.spoofableCapMs);
  const grown = Math.min(cap, limits.blockMs * limits.growth ** Math.min(before, 64));
  const jittered = grown * (1 + limits.jitter * (2 * chance - 1));
  return Math.max(1_000, Math.round(Math.min(jittered, cap * (1 + limits.jitter)) / 1_000) * 1_000);
}

// An IPv6 customer holds a /64 and can use a fresh address for each packet, so the network is blocked; unless
// somebody in it is protected, as when scanner and host share a link: then the one address.
function targetFor(source: Address, guardrails: DecideInput["guardrails"]): Prefix {
  if (familyOf(source) === 4) return whole(source);
  const network = prefixOf(source, 64);
  return guardrails(network) === null ? network : whole(source);
}

function whole(address: Address): Prefix {
  return { base: address, bits: familyOf(address) === 4 ? 32 : 128 };
}
