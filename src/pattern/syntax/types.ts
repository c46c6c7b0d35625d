// The shape of a parsed pattern. Sets of symbols are numbers into a table that all patterns of a set share.

/** What must hold between two symbols. Outside the line counts as "no word character". */
export type Assertion = "line-start" | "line-end" | "word-start" | "word-end" | "word-edge" | "no-word-edge";

export type SyntaxNode =
  | { readonly kind: "empty" }
  | { readonly kind: "set"; readonly set: number }
  | { readonly kind: "assert"; readonly what: Assertion }
  | { readonly kind: "concat"; readonly items: readonly SyntaxNode[] }
  | { readonly kind: "alternate"; readonly branches: readonly SyntaxNode[] }
  /** `max` -1 is "without bound". */
  | { readonly kind: "repeat"; readonly body: SyntaxNode; readonly min: number; readonly max: number }
  /** `number` counts opening parentheses from 1; kept only where a back-reference needs it. */
  | { readonly kind: "group"; readonly number: number; readonly body: SyntaxNode }
  | { readonly kind: "back-reference"; readonly number: number };

/**
 * Which of GNU grep's readings of a pattern is wanted.
 *
 * GNU grep reads each pattern twice: once for its own automaton, and, for what that automaton cannot do, once more
 * for the C library's matcher. The two differ on a repeat with nothing to repeat: after an anchor or at the start
 * of a branch, the automaton repeats the anchor or the empty string, the matcher drops the operator. Where the
 * matcher has the last word, the automaton still goes first, with "anything" for each thing it cannot do: that is
 * the filter.
 */
export type Reading = "automaton" | "matcher" | "filter";

/** Why a pattern cannot be used. `position` is the byte offset in the pattern where it was noticed. */
export type SyntaxFault = { readonly position: number; readonly reason: string; readonly mend: string };

export type Parsed = {
  readonly node: SyntaxNode;
  readonly hasBackReference: boolean;
  /** The pattern uses something that makes grep leave its own automaton for the matcher. */
  readonly wantsMatcher: boolean;
  /** The two readings may differ in what they repeat or in a range. */
  readonly readingMatters: boolean;
};
