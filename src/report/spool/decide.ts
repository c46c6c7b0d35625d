// When an undelivered report is tried again, and by which route. Pure: the time and the dice arrive as arguments.
import type { Route } from "../types.ts";

/** What is still owed to one route. Times are ISO 8601, UTC: a spool outlives the process and its monotonic clock. */
export type Owed = {
  /** As `routeName` calls it; the route itself holds passwords and stays in the configuration. */
  readonly route: string;
  readonly attempts: number;
  readonly nextAt: string;
  readonly why: string;
};

// A mailer that restarts is back within a minute.
export const FIRST_DELAY_MS = 60_000;

// The longest a report waits after the way is free again; four tries a day harm no server.
export const LONGEST_DELAY_MS = 6 * 3_600_000;

// A refusal that only a person can mend is not worth a try every minute.
export const REFUSED_DELAY_MS = 3_600_000;

/**
 * Milliseconds until the next try: one minute, doubling to six hours, spread by a tenth so that the reports of a
 * whole outage do not return in one moment.
 * @param attempts tries made so far, at least 1
 * @param chance from 0 up to 1
 */
export function delayMs(attempts: number, worthRetrying: boolean, chance: number): number {
  const doubled = FIRST_DELAY_MS * 2 ** Math.min(20, Math.max(0, attempts - 1));
  const floor = worthRetrying ? doubled : Math.max(REFUSED_DELAY_MS, doubled);
  return Math.round(Math.min(LONGEST_DELAY_MS, floor) * (0.9 + 0.2 * chance));
}

/** True when it is time; also when the next try lies further off than any delay, because somebody set the clock back. */
export function isDue(owed: Pick<Owed, "nextAt">, now: Date): boolean {
  const inMs = Date.parse(owed.nextAt) - now.getTime();
  return !(inMs > 0 && inMs <= LONGEST_DELAY_MS * 1.1);
}

/**
 * The route to try: the one of that name, or the first configured when the name is gone, since mending a route
 * usually means to change it. Null when there is no route at all.
 */
export function routeFor(
  owed: Owed,
  routes: readonly Route[],
  nameOf: (route: Route) => string,
): Route | null {
  return routes.find((route) => nameOf(route) === owed.route) ?? routes[0] ?? null;
}
