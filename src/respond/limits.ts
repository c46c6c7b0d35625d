// How far responding may go when nobody says otherwise: one table, each number with its reason.
import type { BlockLimits } from "./types.ts";

export const DEFAULT_LIMITS: BlockLimits = {
  // Longer than any scanner waits between two tries of one port, short enough that a mistake heals during a phone call.
  blockMs: 10 * 60_000,
  // 10 min, 40 min, 2 h 40 min, 10 h 40 min, 1 d 18 h, 1 w: the sixth visit costs a week.
  growth: 4,
  // Addresses change hands; a week outlives the scan and not the lease.
  capMs: 7 * 86_400_000,
  // The source of a bare SYN may be forged, and the owner of the address should not pay long for it.
  spoofableCapMs: 60 * 60_000,
  forgetMs: 30 * 86_400_000,
  // So that a scanner cannot learn the time of the lift to the second, nor many lifts fall into one.
  jitter: 0.1,
  // Long enough to end a scan, short enough to wait for when it was one's own.
  provisionalMs: 2 * 60_000,
  // A host under a real distributed scan sees a few new scanners a minute; only forged sources bring hundreds.
  maxPerMinute: 60,
  // About 10 MB of kernel memory.
  maxInForce: 100_000,
  // Two may share a network by chance, eight at one time do not.
  aggregateFrom: 8,
};

/** The defaults with what somebody set instead; other keys are passed over. */
export function limitsOf(given: Partial<BlockLimits>): BlockLimits {
  const limits: { -readonly [K in keyof BlockLimits]: number } = { ...DEFAULT_LIMITS };
  for (const key of Object.keys(DEFAULT_LIMITS) as (keyof BlockLimits)[])
    limits[key] = given[key] ?? limits[key];
  return limits;
}
