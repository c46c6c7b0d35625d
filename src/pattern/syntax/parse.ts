// Reads one extended regular expression the way GNU grep -E does (POSIX XBD 9.4 and GNU's treatment of what POSIX
// leaves undefined). Errors carry grep's words, the place, and what to write instead.
import { INVALID_BASE } from "../locale/symbols.ts";
import { parseBracket } from "./bracket.ts";
import type { SetTable } from "./set-table.ts";
import type { Assertion, Parsed, Reading, SyntaxFault, SyntaxNode } from "./types.ts";

/** RE_DUP_MAX of the GNU C library. */
const REPEAT_LIMIT = 0x7fff;

// Deeper than any pattern a person writes, shallow enough that no walk over the tree can exhaust the stack.
const DEPTH_LIMIT = 250;

const EMPTY: SyntaxNode = { kind: "empty" };

const OPERATORS = new Set([..."*+?{"].map((c) => c.charCodeAt(0)));

// Per ASCII character: 0 when it always means itself, REPEATS when it may repeat what stands before it.
const REPEATS = 2;
const SPECIAL = new Uint8Array(128);
for (const char of "\\^$.[()|") SPECIAL[char.charCodeAt(0)] = 1;
for (const operator of OPERATORS) SPECIAL[operator] = REPEATS;

const ESCAPED_ASSERTIONS: Readonly<Record<string, Assertion>> = {
  "<": "word-start",
  ">": "word-end",
  b: "word-edge",
  B: "no-word-edge",
  "`": "line-start",
  "'": "line-end",
};

class PatternError extends Error {
  readonly fault: SyntaxFault;
  constructor(position: number, reason: string, mend: string) {
    super(reason);
    this.fault = { position, reason, mend };
  }
}

/**
 * Parses the symbols of one pattern line. Fault positions are symbol indices.
 * @param reading which of GNU grep's two readings decides where they differ
 * @param trail what the pattern before left, so that an equal beginning is not read again; with one trail, always
 * the same reading and sets
 */
export function parsePattern(
  symbols: Int32Array,
  sets: SetTable,
  reading: Reading,
  trail: Trail = new Trail(),
): Parsed | { readonly fault: SyntaxFault } {
  try {
    return new Parser(symbols, sets, reading, trail).parse();
  } catch (error) {
    if (error instanceof PatternError) return { fault: error.fault };
    throw error;
  }
}

// All that the parser knows besides the items it has read.
type Standing = {
  at: number;
  groups: number;
  // Groups whose closing parenthesis was read in every branch that leads here, as a bit set of 1 to 9.
  completed: number;
  // Where a "{" was found to begin no interval after something that could be repeated.
  plainBrace: number;
  hasBackReference: boolean;
  wantsMatcher: boolean;
  readingMatters: boolean;
};

type Landmark = { readonly itemCount: number; readonly standing: Standing };

/** Where the reading of one pattern stood behind each larger piece of its first branch. */
export class Trail {
  #symbols: Int32Array = new Int32Array(0);
  #items: readonly SyntaxNode[] = [];
  #landmarks: Landmark[] = [];

  /** The last place up to which `symbols` read as before, with the items before it; what follows is forgotten. */
  resume(symbols: Int32Array): { items: SyntaxNode[]; standing: Standing | null } {
    const common = this.#commonLength(symbols);
    // What stands behind a piece decides where it ends, so one equal symbol more is needed.
    while ((this.#landmarks.at(-1)?.standing.at ?? -1) >= common) this.#landmarks.pop();
    const last = this.#landmarks.at(-1);
    const items = this.#items.slice(0, last?.itemCount ?? 0);
    this.#symbols = symbols;
    this.#items = items;
    return { items, standing: last === undefined ? null : { ...last.standing } };
  }

  /** `items` is the list that the parser goes on filling. */
  mark(items: SyntaxNode[], standing: Standing): void {
    this.#items = items;
    this.#landmarks.push({ itemCount: items.length, standing: { ...standing } });
  }

  #commonLength(symbols: Int32Array): number {
    const limit = Math.min(symbols.length, this.#symbols.length);
    let common = 0;
    while (common < limit && symbols[common] === this.#symbols[common]) common++;
    return common;
  }
}

class Parser {
  readonly #symbols: Int32Array;
  readonly #sets: SetTable;
  readonly #reading: Reading;
  readonly #trail: Trail;
  #depth = 0;
  #now: Standing = {
    at: 0,
    groups: 0,
    completed: 0,
    plainBrace: -1,
    hasBackReference: false,
    wantsMatcher: false,
    readingMatters: false,
  };

  constructor(symbols: Int32Array, sets: SetTable, reading: Reading, trail: Trail) {
    this.#symbols = symbols;
    this.#sets = sets;
    this.#reading = reading;
    this.#trail = trail;
  }

  parse(): Parsed {
    const { items, standing } = this.#trail.resume(this.#symbols);
    if (standing !== null) this.#now = standing;
    const node = this.#alternation(items);
    const { hasBackReference, wantsMatcher, readingMatters } = this.#now;
    return { node, hasBackReference, wantsMatcher: wantsMatcher || hasBackReference, readingMatters };
  }

  // `trailed`: what is already read of the first branch, when this is the whole pattern.
  #alternation(trailed: SyntaxNode[] | null): SyntaxNode {
    const branches: SyntaxNode[] = [];
    const before = trailed === null ? this.#now.completed : 0;
    let after = 0;
    for (;;) {
      branches.push(this.#branch(branches.length === 0 ? trailed : null));
      after |= this.#now.completed;
      if (this.#peek() !== "|") break;
      this.#now.at++;
      this.#now.completed = before;
    }
    this.#now.completed = after;
    return branches.length === 1 ? branches[0]! : { kind: "alternate", branches };
  }

  #branch(trailed: SyntaxNode[] | null): SyntaxNode {
    const items = trailed ?? [];
    while (this.#now.at < this.#symbols.length) {
      const symbol = this.#symbols[this.#now.at]!;
      if (symbol === 0x7c || (symbol === 0x29 && this.#depth > 0)) break;
      if (this.#isPlain(symbol)) {
        items.push(this.#literalHere());
        continue;
      }
      const piece = this.#piece();
      if (piece.kind !== "empty") items.push(piece);
      if (trailed !== null) this.#trail.mark(items, this.#now);
    }
    return items.length === 0 ? EMPTY : items.length === 1 ? items[0]! : { kind: "concat", items };
  }

  // A character that means itself and is not repeated: most of every rule.
  #isPlain(symbol: number): boolean {
    if (symbol > 0x7f || SPECIAL[symbol] !== 0) return false;
    const next = this.#symbols[this.#now.at + 1] ?? 0;
    return next > 0x7f || SPECIAL[next] !== REPEATS;
  }

  #piece(): SyntaxNode {
    let atom: SyntaxNode = EMPTY;
    const wanted = this.#now.wantsMatcher;
    const referred = this.#now.hasBackReference;
    if (this.#reading === "matcher") {
      // The matcher drops operators that have nothing to repeat, and of an interval only its first character.
      const start = this.#now.at;
      while (this.#now.at !== this.#now.plainBrace && OPERATORS.has(this.#symbols[this.#now.at] ?? 0))
        this.#now.at++;
      if (this.#now.at > start) {
        this.#now.readingMatters = true;
        const next = this.#peek();
        if (next === "" || next === "|") return EMPTY;
      }
      // After a dropped operator a closing parenthesis is a character, whatever is open.
      atom = this.#peek() === ")" ? this.#literalHere() : this.#atom();
      if (atom.kind === "assert") {
        if (OPERATORS.has(this.#symbols[this.#now.at] ?? 0)) this.#now.readingMatters = true;
        return atom;
      }
    } else if (!this.#operatorHere()) atom = this.#atom();
    const node = this.#repeats(atom);
    if (node.kind === "empty") {
      // Repeated zero times: grep's automaton never learns what stood here.
      this.#now.wantsMatcher = wanted;
      this.#now.hasBackReference = referred;
    }
    return node;
  }

  #literalHere(): SyntaxNode {
    return this.#literal(this.#symbols[this.#now.at++]!);
  }

  #operatorHere(): boolean {
    const symbol = this.#symbols[this.#now.at];
    return symbol !== undefined && OPERATORS.has(symbol) && (symbol !== 0x7b || this.#interval() !== null);
  }

  #repeats(atom: SyntaxNode): SyntaxNode {
    let node = atom;
    let chain = 0;
    for (; this.#now.at < this.#symbols.length; ) {
      const symbol = this.#symbols[this.#now.at]!;
      let min = 0;
      let max = -1;
      let length = 1;
      if (symbol === 0x2b) min = 1;
      else if (symbol === 0x3f) max = 1;
      else if (symbol === 0x7b) {
        const interval = this.#interval();
        if (interval === null) {
          this.#now.plainBrace = this.#now.at;
          break;
        }
        ({ min, max, length } = interval);
        chain++;
      } else if (symbol !== 0x2a) break;
      if (this.#depth + chain > DEPTH_LIMIT) throw this.#tooDeep();
      this.#now.at += length;
      node = this.#sets.repeat(node, min, max);
    }
    return node;
  }

  // The interval whose `{` is here, or null when the text is none and `{` stands for itself.
  #interval(): { min: number; max: number; length: number } | null {
    const open = this.#now.at;
    let at = open + 1;
    const number = (): number => {
      let value = -1;
      for (let digit: number; (digit = (this.#symbols[at] ?? 0) - 0x30) >= 0 && digit <= 9; at++) {
        value = Math.min(REPEAT_LIMIT + 1, Math.max(0, value) * 10 + digit);
      }
      return value;
    };
    let min = number();
    let max = min;
    if (this.#symbols[at] === 0x2c) {
      at++;
      max = number();
      if (min < 0) min = 0;
    }
    const isMatcher = this.#reading === "matcher";
    if (isMatcher && (at === open + 1 ? this.#symbols[at] === 0x7d : this.#symbols[at] === 0x2c)) {
      throw new PatternError(
        open,
        "Invalid content of \\{\\}",
        'write {MIN,MAX}, or "\\{" for the character itself',
      );
    }
    if (min < 0 || this.#symbols[at] !== 0x7d) return null;
    if (max >= 0 && min > max) {
      if (!isMatcher) return null;
      throw new PatternError(
        open,
        "Invalid content of \\{\\}",
        `write the smaller number first: {${max},${min}}`,
      );
    }
    if (Math.max(min, max) > REPEAT_LIMIT) {
      throw new PatternError(open, "Regular expression too big", `repeat at most ${REPEAT_LIMIT} times`);
    }
    return { min, max, length: at + 1 - open };
  }

  #atom(): SyntaxNode {
    const symbol = this.#symbols[this.#now.at]!;
    switch (symbol) {
      case 0x28:
        return this.#group();
      case 0x5b: {
        const bracket = parseBracket(this.#symbols, this.#now.at, this.#sets, this.#reading);
        if ("fault" in bracket) {
          throw new PatternError(bracket.fault.position, bracket.fault.reason, bracket.fault.mend);
        }
        this.#now.at = bracket.end;
        if (bracket.readingMatters) this.#now.readingMatters = true;
        return this.#set(bracket.set, bracket.wantsMatcher);
      }
      case 0x2e:
        this.#now.at++;
        return this.#sets.node(this.#sets.any());
      case 0x5e:
        this.#now.at++;
        return { kind: "assert", what: "line-start" };
      case 0x24:
        this.#now.at++;
        return { kind: "assert", what: "line-end" };
      case 0x5c:
        return this.#escape();
      default:
        return this.#literalHere();
    }
  }

  #literal(symbol: number): SyntaxNode {
    return this.#set(this.#sets.single(symbol), symbol > INVALID_BASE);
  }

  #group(): SyntaxNode {
    const open = this.#now.at++;
    const number = ++this.#now.groups;
    if (++this.#depth > DEPTH_LIMIT) throw this.#tooDeep();
    const body = this.#alternation(null);
    this.#depth--;
    if (this.#peek() !== ")") {
      throw new PatternError(open, "Unmatched ( or \\(", 'close the group with ")", or write "\\("');
    }
    this.#now.at++;
    if (number <= 9) this.#now.completed |= 1 << number;
    return { kind: "group", number, body };
  }

  #escape(): SyntaxNode {
    const at = this.#now.at + 1;
    const symbol = this.#symbols[at];
    if (symbol === undefined) {
      throw new PatternError(
        this.#now.at,
        "Trailing backslash",
        'write "\\\\" for the backslash itself, or remove it',
      );
    }
    this.#now.at = at + 1;
    const char = symbol < 0x80 ? String.fromCharCode(symbol) : "";
    const what = ESCAPED_ASSERTIONS[char];
    if (what !== undefined) {
      if (!what.includes("word") || this.#sets.locale === "C") return { kind: "assert", what };
      this.#now.wantsMatcher = true;
      return this.#reading === "filter" ? EMPTY : { kind: "assert", what };
    }
    if (char >= "1" && char <= "9") {
      const number = Number(char);
      if ((this.#now.completed & (1 << number)) === 0) {
        throw new PatternError(
          at - 1,
          "Invalid back reference",
          `close group ${number} before \\${number}, in the same branch`,
        );
      }
      this.#now.hasBackReference = true;
      if (this.#reading === "filter") return this.#anything();
      return { kind: "back-reference", number };
    }
    const wide = this.#sets.locale !== "C";
    if (char === "w" || char === "W") return this.#set(this.#sets.word(char === "W"), wide);
    if (char === "s" || char === "S") return this.#set(this.#sets.space(char === "S"), wide);
    return this.#literal(symbol);
  }

  #set(set: number, wantsMatcher: boolean): SyntaxNode {
    if (wantsMatcher) {
      this.#now.wantsMatcher = true;
      if (this.#reading === "filter") return this.#anything();
    }
    return this.#sets.node(set);
  }

  #anything(): SyntaxNode {
    return { kind: "repeat", body: this.#sets.node(this.#sets.everything()), min: 0, max: -1 };
  }

  #peek(): string {
    const symbol = this.#symbols[this.#now.at];
    return symbol === undefined || symbol > 0x7f
      ? symbol === undefined
        ? ""
        : "other"
      : String.fromCharCode(symbol);
  }

  #tooDeep(): PatternError {
    return new PatternError(
      this.#now.at,
      `Groups or intervals nested more than ${DEPTH_LIMIT} deep`,
      "write the pattern flatter",
    );
  }
}
