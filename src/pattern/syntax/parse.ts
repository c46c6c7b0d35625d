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
 */
export function parsePattern(
  symbols: Int32Array,
  sets: SetTable,
  reading: Reading,
): Parsed | { readonly fault: SyntaxFault } {
  try {
    return new Parser(symbols, sets, reading).parse();
  } catch (error) {
    if (error instanceof PatternError) return { fault: error.fault };
    throw error;
  }
}

class Parser {
  readonly #symbols: Int32Array;
  readonly #sets: SetTable;
  readonly #reading: Reading;
  #at = 0;
  #depth = 0;
  #groups = 0;
  // Groups whose closing parenthesis was read in every branch that leads here, as a bit set of 1 to 9.
  #completed = 0;
  // Where a "{" was found to begin no interval after something that could be repeated.
  #plainBrace = -1;
  #hasBackReference = false;
  #wantsMatcher = false;
  #readingMatters = false;

  constructor(symbols: Int32Array, sets: SetTable, reading: Reading) {
    this.#symbols = symbols;
    this.#sets = sets;
    this.#reading = reading;
  }

  parse(): Parsed {
    const node = this.#alternation();
    return {
      node,
      hasBackReference: this.#hasBackReference,
      wantsMatcher: this.#wantsMatcher || this.#hasBackReference,
      readingMatters: this.#readingMatters,
    };
  }

  #alternation(): SyntaxNode {
    const branches: SyntaxNode[] = [];
    const before = this.#completed;
    let after = 0;
    for (;;) {
      this.#completed = before;
      branches.push(this.#branch());
      after |= this.#completed;
      if (this.#peek() !== "|") break;
      this.#at++;
    }
    this.#completed = after;
    return branches.length === 1 ? branches[0]! : { kind: "alternate", branches };
  }

  #branch(): SyntaxNode {
    const items: SyntaxNode[] = [];
    while (this.#at < this.#symbols.length) {
      const symbol = this.#symbols[this.#at]!;
      if (symbol === 0x7c || (symbol === 0x29 && this.#depth > 0)) break;
      const piece = this.#isPlain(symbol) ? this.#literalHere() : this.#piece();
      if (piece.kind !== "empty") items.push(piece);
    }
    return items.length === 0 ? EMPTY : items.length === 1 ? items[0]! : { kind: "concat", items };
  }

  // A character that means itself and is not repeated: most of every rule.
  #isPlain(symbol: number): boolean {
    if (symbol > 0x7f || SPECIAL[symbol] !== 0) return false;
    const next = this.#symbols[this.#at + 1] ?? 0;
    return next > 0x7f || SPECIAL[next] !== REPEATS;
  }

  #piece(): SyntaxNode {
    let atom: SyntaxNode = EMPTY;
    const wanted = this.#wantsMatcher;
    const referred = this.#hasBackReference;
    if (this.#reading === "matcher") {
      // The matcher drops operators that have nothing to repeat, and of an interval only its first character.
      const start = this.#at;
      while (this.#at !== this.#plainBrace && OPERATORS.has(this.#symbols[this.#at] ?? 0)) this.#at++;
      if (this.#at > start) {
        this.#readingMatters = true;
        const next = this.#peek();
        if (next === "" || next === "|") return EMPTY;
      }
      // After a dropped operator a closing parenthesis is a character, whatever is open.
      atom = this.#peek() === ")" ? this.#literalHere() : this.#atom();
      if (atom.kind === "assert") {
        if (OPERATORS.has(this.#symbols[this.#at] ?? 0)) this.#readingMatters = true;
        return atom;
      }
    } else if (!this.#operatorHere()) atom = this.#atom();
    const node = this.#repeats(atom);
    if (node.kind === "empty") {
      // Repeated zero times: grep's automaton never learns what stood here.
      this.#wantsMatcher = wanted;
      this.#hasBackReference = referred;
    }
    return node;
  }

  #literalHere(): SyntaxNode {
    return this.#literal(this.#symbols[this.#at++]!);
  }

  #operatorHere(): boolean {
    const symbol = this.#symbols[this.#at];
    return symbol !== undefined && OPERATORS.has(symbol) && (symbol !== 0x7b || this.#interval() !== null);
  }

  #repeats(atom: SyntaxNode): SyntaxNode {
    let node = atom;
    let chain = 0;
    for (; this.#at < this.#symbols.length; ) {
      const symbol = this.#symbols[this.#at]!;
      let min = 0;
      let max = -1;
      let length = 1;
      if (symbol === 0x2b) min = 1;
      else if (symbol === 0x3f) max = 1;
      else if (symbol === 0x7b) {
        const interval = this.#interval();
        if (interval === null) {
          this.#plainBrace = this.#at;
          break;
        }
        ({ min, max, length } = interval);
        chain++;
      } else if (symbol !== 0x2a) break;
      if (this.#depth + chain > DEPTH_LIMIT) throw this.#tooDeep();
      this.#at += length;
      node = repeat(node, min, max);
    }
    return node;
  }

  // The interval whose `{` is here, or null when the text is none and `{` stands for itself.
  #interval(): { min: number; max: number; length: number } | null {
    const open = this.#at;
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
    const symbol = this.#symbols[this.#at]!;
    switch (symbol) {
      case 0x28:
        return this.#group();
      case 0x5b: {
        const bracket = parseBracket(this.#symbols, this.#at, this.#sets, this.#reading);
        if ("fault" in bracket) {
          throw new PatternError(bracket.fault.position, bracket.fault.reason, bracket.fault.mend);
        }
        this.#at = bracket.end;
        if (bracket.readingMatters) this.#readingMatters = true;
        return this.#set(bracket.set, bracket.wantsMatcher);
      }
      case 0x2e:
        this.#at++;
        return this.#sets.node(this.#sets.any());
      case 0x5e:
        this.#at++;
        return { kind: "assert", what: "line-start" };
      case 0x24:
        this.#at++;
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
    const open = this.#at++;
    const number = ++this.#groups;
    if (++this.#depth > DEPTH_LIMIT) throw this.#tooDeep();
    const body = this.#alternation();
    this.#depth--;
    if (this.#peek() !== ")") {
      throw new PatternError(open, "Unmatched ( or \\(", 'close the group with ")", or write "\\("');
    }
    this.#at++;
    if (number <= 9) this.#completed |= 1 << number;
    return { kind: "group", number, body };
  }

  #escape(): SyntaxNode {
    const at = this.#at + 1;
    const symbol = this.#symbols[at];
    if (symbol === undefined) {
      throw new PatternError(
        this.#at,
        "Trailing backslash",
        'write "\\\\" for the backslash itself, or remove it',
      );
    }
    this.#at = at + 1;
    const char = symbol < 0x80 ? String.fromCharCode(symbol) : "";
    const what = ESCAPED_ASSERTIONS[char];
    if (what !== undefined) {
      if (!what.includes("word") || this.#sets.locale === "C") return { kind: "assert", what };
      this.#wantsMatcher = true;
      return this.#reading === "filter" ? EMPTY : { kind: "assert", what };
    }
    if (char >= "1" && char <= "9") {
      const number = Number(char);
      if ((this.#completed & (1 << number)) === 0) {
        throw new PatternError(
          at - 1,
          "Invalid back reference",
          `close group ${number} before \\${number}, in the same branch`,
        );
      }
      this.#hasBackReference = true;
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
      this.#wantsMatcher = true;
      if (this.#reading === "filter") return this.#anything();
    }
    return this.#sets.node(set);
  }

  #anything(): SyntaxNode {
    return { kind: "repeat", body: this.#sets.node(this.#sets.everything()), min: 0, max: -1 };
  }

  #peek(): string {
    const symbol = this.#symbols[this.#at];
    return symbol === undefined || symbol > 0x7f
      ? symbol === undefined
        ? ""
        : "other"
      : String.fromCharCode(symbol);
  }

  #tooDeep(): PatternError {
    return new PatternError(
      this.#at,
      `Groups or intervals nested more than ${DEPTH_LIMIT} deep`,
      "write the pattern flatter",
    );
  }
}

// Repeats of repeats collapse where the result is again one of ? * +, so that a row of stars stays one node.
function repeat(body: SyntaxNode, min: number, max: number): SyntaxNode {
  if (body.kind === "empty" || max === 0) return EMPTY;
  if (min === 1 && max === 1) return body;
  const simple = (low: number, high: number) => low <= 1 && (high === -1 || (low === 0 && high === 1));
  if (body.kind === "repeat" && simple(body.min, body.max) && simple(min, max)) {
    return {
      kind: "repeat",
      body: body.body,
      min: Math.min(body.min, min),
      max: body.max === 1 && max === 1 ? 1 : -1,
    };
  }
  return { kind: "repeat", body, min, max };
}
