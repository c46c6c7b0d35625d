// When an attack is worth a message at once. Pure: events and the monotonic time go in, a batch to send and the time
// to look again come out. A scan of 65,535 ports, or of a whole network for a week, must never become a mail storm.
import type { Event } from "../../core/events.ts";

export type AlertLimits = {
  /** How long a batch collects before it goes out, in milliseconds. */
  readonly batchMs: number;
  /** The least time between the first and the second message of an attack; it doubles with each further one. */
  readonly gapMs: number;
  readonly longestGapMs: number;
  /** Events kept in one batch; more are counted. */
  readonly maxEvents: number;
};

export const ALERT_LIMITS: AlertLimits = {
  // Long enough for a scan, its verdict and its block to come in one message, short enough to be at once.
  batchMs: 5_000,
  gapMs: 60_000,
  // An attack that lasts a day is told about thirty times, like the hourly report itself.
  longestGapMs: 3_600_000,
  maxEvents: 200,
};

export type Batch = { readonly events: readonly Event[]; readonly unlisted: number };

export type AlertState = {
  readonly events: readonly Event[];
  readonly unlisted: number;
  /** When the batch began, monotonic; null while nothing is collected. */
  readonly openedMs: number | null;
  readonly sentMs: number | null;
  /** What must pass between the last message and the next. */
  readonly gapMs: number;
};

export const QUIET: AlertState = { events: [], unlisted: 0, openedMs: null, sentMs: null, gapMs: 0 };

/** True for what an administrator would want to be woken for: attacks, and what was done about them. */
export function isUrgent(event: Event): boolean {
  switch (event.type) {
    case "scan.detected":
    case "scan.distributed":
    case "block.applied":
    case "block.failed":
    case "log.shrank":
      return true;
    case "verdict.reached":
      return event.verdict.guardrail !== undefined || event.verdict.action !== "ignore";
    case "line.found":
      return event.layer === "cracking";
    default:
      return false;
  }
}

/** Takes an urgent event into the batch. */
export function collect(state: AlertState, event: Event, nowMs: number, limits: AlertLimits): AlertState {
  const openedMs = state.openedMs ?? nowMs;
  if (state.events.length >= limits.maxEvents) return { ...state, openedMs, unlisted: state.unlisted + 1 };
  return { ...state, openedMs, events: [...state.events, event] };
}

/** Milliseconds until the batch may go out: 0 when it may, null when there is none. */
export function waitMs(state: AlertState, nowMs: number, limits: AlertLimits): number | null {
  if (state.openedMs === null) return null;
  const gap = state.sentMs === null ? 0 : state.sentMs + gapNow(state, limits) - nowMs;
  return Math.max(0, state.openedMs + limits.batchMs - nowMs, gap);
}

/** The batch that goes out now, and the state that waits for the next one. Call it only when `waitMs` is 0. */
export function release(
  state: AlertState,
  nowMs: number,
  limits: AlertLimits,
): { state: AlertState; batch: Batch } {
  const gapMs = Math.min(limits.longestGapMs, Math.max(limits.gapMs, gapNow(state, limits) * 2));
  return {
    state: { ...QUIET, sentMs: nowMs, gapMs },
    batch: { events: state.events, unlisted: state.unlisted },
  };
}

// An attack is over when its next sign comes only after twice the gap: then the next one is news again.
function gapNow(state: AlertState, limits: AlertLimits): number {
  if (state.sentMs === null || state.openedMs === null) return state.gapMs;
  const quietMs = state.openedMs - state.sentMs;
  return quietMs > Math.max(limits.gapMs, state.gapMs) * 2 ? 0 : state.gapMs;
}
