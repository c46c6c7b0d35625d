// How a walk over a line tells what it has found, the same for every engine that runs the automaton.

export interface MatchListener {
  /**
   * @param patterns have just matched
   * @param lowestAhead no pattern below it can match any more; 0 when the engine does not know
   * @returns true when nothing else is wanted from this line
   */
  found(patterns: ArrayLike<number>, lowestAhead: number): boolean;
}
