// Decides which cases run and in which order, and how many rounds a case may still have. One round of everything comes first, the
// shortest cases at its head: whenever a run has to end, as many cases as can be have a figure.
import type { Case, CaseResult, Duration } from "./types.ts";

// Of a case that never ran here; most take about this long.
const UNKNOWN_S = 60;
// Before anything was measured, a run is known by its wall time only: its material is not counted then.
const MATERIAL_S = 3;

/** The cases that are meant: by their names, else by parts of names; none given: all. */
export function chosen<T>(all: readonly T[], texts: readonly string[], nameOf: (each: T) => string): T[] {
  if (texts.length === 0) return [...all];
  const fits = (name: string, text: string): boolean =>
    all.some((each) => nameOf(each) === text) ? name === text : name.includes(text);
  return all.filter((each) => texts.some((text) => fits(nameOf(each), text)));
}

/** How long a case took when it last ran, from its record; null where that says nothing. */
export function durationOf(result: CaseResult): Duration | null {
  if (result.took !== undefined) return result.took;
  const runsS = result.contenders.flatMap(({ samples }) => {
    const walls = samples.map((sample) => sample["wallMs"]).filter((wallMs) => wallMs !== undefined);
    return walls.length === 0 ? [] : [Math.max(...walls) / 1_000];
  });
  if (runsS.length === 0) return null;
  const roundS = runsS.reduce((sum, each) => sum + each, 0);
  return { setUpS: MATERIAL_S, roundS, laterRoundS: roundS };
}

/** What the case itself says, where nothing is recorded. */
export function guess({ guessS }: Pick<Case, "guessS">): Duration | null {
  return guessS === undefined ? null : { setUpS: MATERIAL_S, roundS: guessS, laterRoundS: guessS };
}

/** Seconds that a case takes with this many rounds. */
export function estimateS(duration: Duration | null, rounds: number): number {
  if (duration === null) return UNKNOWN_S * rounds;
  return duration.setUpS + duration.roundS + (rounds - 1) * duration.laterRoundS;
}

/** The same, as a person says it. */
export function spoken(duration: Duration | null, rounds: number): string {
  return duration === null ? "not known" : spokenS(estimateS(duration, rounds));
}

/** Seconds, or minutes where there are many. */
export function spokenS(seconds: number): string {
  return seconds < 100 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

/** Shortest first; who takes equally long keeps the order. */
export function shortestFirst<T>(cases: readonly T[], durationIn: (each: T) => Duration | null): T[] {
  return cases
    .map((each) => ({ each, seconds: estimateS(durationIn(each), 1) }))
    .sort((a, b) => a.seconds - b.seconds)
    .map(({ each }) => each);
}

/**
 * How many further rounds a case gets of the time that is left, if those behind it shall have as much.
 * @param wanted rounds still missing
 * @param casesLeft this one and those that come after it
 */
export function furtherRounds(
  duration: Duration | null,
  wanted: number,
  leftS: number,
  casesLeft: number,
): number {
  const { setUpS, laterRoundS } = duration ?? { setUpS: 0, laterRoundS: UNKNOWN_S };
  const fitting = Math.floor((leftS / casesLeft - setUpS) / Math.max(laterRoundS, 0.001));
  return Math.max(0, Math.min(wanted, fitting));
}
