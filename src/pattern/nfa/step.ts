// One step of the automaton: from the set of states it may be in, over one class of symbols, to the next set.
// The lazy DFA remembers these steps and the simulation does not; both take them here, so they cannot disagree.
import type { AlphabetClasses } from "./classes.ts";
import { OP_ACCEPT, OP_ASSERT, OP_SET, OP_SPLIT, type Program } from "./program.ts";

// What stands before the place in the line, and what comes after it.
const BEFORE_START = 0;
const BEFORE_WORD = 1;
const BEFORE_OTHER = 2;
const AFTER_UNKNOWN = 0;
const AFTER_WORD = 1;
const AFTER_OTHER = 2;
const AFTER_END = 3;

// Indices in ASSERTIONS.
const LINE_START = 0;
const LINE_END = 1;
const WORD_START = 2;
const WORD_END = 3;
const WORD_EDGE = 4;

/** States that wait for a symbol or for what follows, and the patterns that have matched on the way here. */
export type StateSet = {
  /** Numbers of OP_SET and undecided OP_ASSERT states, `count` of them. */
  readonly states: Int32Array;
  count: number;
  /** Some of `states` are assertions that wait for the next symbol. */
  waiting: boolean;
  /** What stood before, one of BEFORE_*. */
  before: number;
  readonly accepted: number[];
};

export class Stepper {
  readonly program: Program;
  readonly classes: AlphabetClasses;
  /** Class number of the end of the line. */
  readonly endClass: number;
  // Sparse marks: mark[state] === round means "seen in this round".
  readonly #mark: Int32Array;
  readonly #acceptMark: Int32Array;
  #round = 0;
  #acceptRound = 0;
  readonly #stack: Int32Array;
  readonly #bridge: StateSet;

  constructor(program: Program, classes: AlphabetClasses, patternCount: number) {
    this.program = program;
    this.classes = classes;
    this.endClass = classes.count;
    this.#mark = new Int32Array(program.op.length);
    this.#acceptMark = new Int32Array(patternCount);
    this.#stack = new Int32Array(program.op.length + 1);
    this.#bridge = this.emptySet();
  }

  emptySet(): StateSet {
    return {
      states: new Int32Array(this.program.op.length),
      count: 0,
      waiting: false,
      before: BEFORE_START,
      accepted: [],
    };
  }

  /** Fills `into` with where a search of a line begins. */
  begin(into: StateSet): void {
    this.#clear(into, BEFORE_START);
    this.#round++;
    this.#acceptRound++;
    if (this.program.start >= 0) this.#follow(this.program.start, into, AFTER_UNKNOWN);
  }

  /**
   * Steps from `from` over class `symbolClass` into `into`; over `endClass`, only `accepted` of `into` has meaning.
   * A search is not anchored: every step also begins anew.
   */
  step(from: StateSet, symbolClass: number, into: StateSet): void {
    const { program, classes } = this;
    const atEnd = symbolClass === this.endClass;
    const isWord = !atEnd && classes.isWord[symbolClass] === 1;
    this.#clear(into, isWord ? BEFORE_WORD : BEFORE_OTHER);
    this.#acceptRound++;
    let current = from;
    if (from.waiting) {
      current = this.#decide(from, atEnd ? AFTER_END : isWord ? AFTER_WORD : AFTER_OTHER);
      for (const pattern of current.accepted) this.#accept(pattern, into);
    }
    if (atEnd) return;
    this.#round++;
    for (let i = 0; i < current.count; i++) {
      const state = current.states[i]!;
      if (program.op[state] === OP_SET && classes.has(program.arg[state]!, symbolClass)) {
        this.#follow(program.next[state]!, into, AFTER_UNKNOWN);
      }
    }
    if (program.start >= 0) this.#follow(program.start, into, AFTER_UNKNOWN);
  }

  // The same place in the line, now that it is known what follows: waiting assertions hold or fall away.
  #decide(from: StateSet, after: number): StateSet {
    const into = this.#bridge;
    this.#clear(into, from.before);
    this.#round++;
    for (let i = 0; i < from.count; i++) {
      if (this.program.op[from.states[i]!] === OP_SET) this.#follow(from.states[i]!, into, after);
    }
    for (let i = 0; i < from.count; i++) {
      if (this.program.op[from.states[i]!] === OP_ASSERT) this.#follow(from.states[i]!, into, after);
    }
    // What #decide accepts is accepted again by the caller, into its own set.
    this.#acceptRound++;
    return into;
  }

  #clear(set: StateSet, before: number): void {
    set.count = 0;
    set.waiting = false;
    set.before = before;
    set.accepted.length = 0;
  }

  // Adds `state` and all it leads to without a symbol.
  #follow(state: number, into: StateSet, after: number): void {
    const { op, arg, next } = this.program;
    const mark = this.#mark;
    const round = this.#round;
    const stack = this.#stack;
    let depth = 0;
    if (mark[state] === round) return;
    mark[state] = round;
    stack[depth++] = state;
    while (depth > 0) {
      const at = stack[--depth]!;
      let on = -1;
      switch (op[at]) {
        case OP_SET:
          into.states[into.count++] = at;
          break;
        case OP_SPLIT: {
          const other = arg[at]!;
          if (mark[other] !== round) {
            mark[other] = round;
            stack[depth++] = other;
          }
          on = next[at]!;
          break;
        }
        case OP_ASSERT: {
          const verdict = assertionHolds(arg[at]!, into.before, after);
          if (verdict === true) on = next[at]!;
          else if (verdict === "later") {
            into.states[into.count++] = at;
            into.waiting = true;
          }
          break;
        }
        case OP_ACCEPT:
          this.#accept(arg[at]!, into);
          break;
      }
      if (on >= 0 && mark[on] !== round) {
        mark[on] = round;
        stack[depth++] = on;
      }
    }
  }

  #accept(pattern: number, into: StateSet): void {
    if (this.#acceptMark[pattern] === this.#acceptRound) return;
    this.#acceptMark[pattern] = this.#acceptRound;
    into.accepted.push(pattern);
  }
}

function assertionHolds(what: number, before: number, after: number): boolean | "later" {
  if (what === LINE_START) return before === BEFORE_START;
  if (what === LINE_END) return after === AFTER_UNKNOWN ? "later" : after === AFTER_END;
  const wordBefore = before === BEFORE_WORD;
  if (what === WORD_START && wordBefore) return false;
  if (what === WORD_END && !wordBefore) return false;
  if (after === AFTER_UNKNOWN) return "later";
  const wordAfter = after === AFTER_WORD;
  if (what === WORD_START) return wordAfter;
  if (what === WORD_END) return !wordAfter;
  return what === WORD_EDGE ? wordBefore !== wordAfter : wordBefore === wordAfter;
}
