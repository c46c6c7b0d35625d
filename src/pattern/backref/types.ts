// What the back-reference matcher says about one line.

/** `undecided`: the step budget ran out before an answer was found. */
export type Verdict = "match" | "no-match" | "undecided";
