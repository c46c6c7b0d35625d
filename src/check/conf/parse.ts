// logcheck.conf is a shell script that logcheck runs. Running it would hand the machine to whoever can write it, so
// only what such files are for is read: assignments. Everything else is named, and nothing of it is done.
import type { ConfigFault } from "../../core/errors.ts";

export type ShellAssignment = { readonly name: string; readonly value: string; readonly line: number };

export type ShellReading = {
  readonly assignments: readonly ShellAssignment[];
  readonly faults: readonly ConfigFault[];
};

export type ShellOptions = {
  /** The file's path, for faults. */
  readonly file: string;
  /** What `$(date +FORMAT)` stands for, the one command that logcheck's own configuration file shows. */
  readonly formatDate: (format: string) => string;
  /** Variables that are set before the first line. */
  readonly variables?: ReadonlyMap<string, string>;
};

/** Thrown within this file where a line stops being an assignment. */
class NotAnAssignment extends Error {
  readonly mend: string;

  constructor(message: string, mend: string) {
    super(message);
    this.name = "NotAnAssignment";
    this.mend = mend;
  }
}

const NAME_START = /[A-Za-z_]/;
const NAME_CHAR = /[A-Za-z0-9_]/;
const PLAIN = 'write the value itself: NAME="value"';
const DATE_COMMAND =
  /^\$\(\s*date\s+(?:\+'([^'$`]*)'|\+"([^"$`\\]*)"|'\+([^'$`]*)'|"\+([^"$`\\]*)"|\+([^\s'"$`\\;|&<>()]+))\s*\)/;

/**
 * Reads `NAME=value` lines with the shell's quotes, escapes, comments and `$NAME` of earlier lines (POSIX.1-2017,
 * Shell Command Language, sections 2.2 and 2.9.1). A line that is or does anything else gives one fault and is skipped.
 */
export function parseShellAssignments(text: string, options: ShellOptions): ShellReading {
  const reader = new Reader(text, options);
  const faults: ConfigFault[] = [];
  while (reader.toNextCommand()) {
    const line = reader.line;
    try {
      reader.readCommand();
    } catch (error) {
      if (!(error instanceof NotAnAssignment)) throw error;
      faults.push({
        file: options.file,
        line,
        key: reader.name,
        message: error.message,
        mend: error.mend,
        consequence: "nothing is run, the line is skipped",
      });
      reader.skipLine();
    }
  }
  return { assignments: reader.assignments, faults };
}

class Reader {
  readonly assignments: ShellAssignment[] = [];
  readonly #text: string;
  readonly #options: ShellOptions;
  readonly #values = new Map<string, string>();
  #at = 0;
  line = 1;
  /** The variable being read, for faults. */
  name = "";

  constructor(text: string, options: ShellOptions) {
    this.#text = text;
    this.#options = options;
  }

  // Moves to the next thing that is neither blank nor comment; false at the end.
  toNextCommand(): boolean {
    this.name = "";
    while (this.#at < this.#text.length) {
      const char = this.#peek();
      if (char === "#") this.#skipComment();
      else if (char === "\n" || char === " " || char === "\t" || char === ";" || this.#continued())
        this.#step();
      else return true;
    }
    return false;
  }

  readCommand(): void {
    // `A=1 B=2` assigns both; `A=1 command` would run the command, and assign nothing.
    const pending: ShellAssignment[] = [];
    do {
      pending.push(this.#readAssignment());
      this.#skipBlanks();
    } while (!["", "\n", ";", "#"].includes(this.#peek()));
    for (const assignment of pending) {
      this.assignments.push(assignment);
      this.#values.set(assignment.name, assignment.value);
    }
  }

  skipLine(): void {
    while (this.#at < this.#text.length && this.#peek() !== "\n") this.#step();
  }

  #readAssignment(): ShellAssignment {
    const start = this.#at;
    let name = this.#readName();
    if ((name === "export" || name === "readonly") && (this.#peek() === " " || this.#peek() === "\t")) {
      this.#skipBlanks();
      name = this.#readName();
    }
    if (name === "" || this.#peek() !== "=") throw this.#notOne(start);
    this.name = name;
    this.#step();
    if (this.#peek() === "(")
      throw new NotAnAssignment("an array", "write one plain value; lists are not read here");
    const line = this.line;
    return { name, value: this.#readWord(), line };
  }

  #notOne(start: number): NotAnAssignment {
    const end = this.#text.indexOf("\n", start);
    const found = this.#text.slice(start, Math.min(end < 0 ? this.#text.length : end, start + 60)).trim();
    return new NotAnAssignment(
      `wants an assignment, found "${found}"`,
      "keep only NAME=value lines; do what the command did before telltale starts",
    );
  }

  #readName(): string {
    const start = this.#at;
    if (NAME_START.test(this.#peek())) while (NAME_CHAR.test(this.#peek())) this.#step();
    return this.#text.slice(start, this.#at);
  }

  #readWord(): string {
    let value = "";
    for (;;) {
      const char = this.#peek();
      if (char === "" || /[\s;]/.test(char)) return value;
      if ("|&<>()".includes(char)) throw new NotAnAssignment(`an unquoted "${char}"`, PLAIN);
      if (char === "'") value += this.#readSingleQuoted();
      else if (char === '"') value += this.#readDoubleQuoted();
      else if (char === "$") value += this.#readExpansion();
      else if (char === "`") throw new NotAnAssignment("a command in backticks", PLAIN);
      else if (char === "\\") {
        this.#step();
        if (this.#peek() === "\n") this.#step();
        else value += this.#take();
      } else value += this.#take();
    }
  }

  #readSingleQuoted(): string {
    this.#step();
    let value = "";
    while (this.#peek() !== "'") value += this.#takeQuoted("'");
    this.#step();
    return value;
  }

  #readDoubleQuoted(): string {
    this.#step();
    let value = "";
    while (this.#peek() !== '"') {
      const char = this.#peek();
      if (char === "`") throw new NotAnAssignment("a command in backticks", PLAIN);
      if (char === "$") value += this.#readExpansion();
      else if (char === "\\") {
        this.#step();
        const escaped = this.#takeQuoted('"');
        if ('"\\$`'.includes(escaped)) value += escaped;
        else if (escaped !== "\n") value += `\\${escaped}`;
      } else value += this.#takeQuoted('"');
    }
    this.#step();
    return value;
  }

  // At a dollar sign: a variable of an earlier line, the date, or a dollar that means itself.
  #readExpansion(): string {
    const rest = this.#text.slice(this.#at, this.#at + 256);
    const date = DATE_COMMAND.exec(rest);
    if (date !== null) {
      this.#skip(date[0].length);
      return this.#options.formatDate(date.slice(1).find((format) => format !== undefined) ?? "");
    }
    const variable = /^\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/.exec(rest);
    if (variable !== null) {
      const name = (variable[1] ?? variable[2])!;
      const value = this.#values.get(name) ?? this.#options.variables?.get(name);
      if (value === undefined) throw new NotAnAssignment(`$${name} is not assigned above`, PLAIN);
      this.#skip(variable[0].length);
      return value;
    }
    if (rest.startsWith("$(")) throw new NotAnAssignment("a command, $(…)", PLAIN);
    if (/^\$(\{|['"]|[0-9@*#?$!-])/.test(rest))
      throw new NotAnAssignment(`the shell expansion ${rest.slice(0, 2)}`, PLAIN);
    return this.#take();
  }

  #continued(): boolean {
    return this.#peek() === "\\" && this.#text[this.#at + 1] === "\n";
  }

  #skipBlanks(): void {
    while (this.#peek() === " " || this.#peek() === "\t" || this.#continued()) {
      if (this.#continued()) this.#step();
      this.#step();
    }
  }

  #skipComment(): void {
    while (this.#at < this.#text.length && this.#peek() !== "\n") this.#step();
  }

  #skip(count: number): void {
    for (let i = 0; i < count; i++) this.#step();
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #take(): string {
    const char = this.#peek();
    this.#step();
    return char;
  }

  #takeQuoted(quote: string): string {
    if (this.#at >= this.#text.length)
      throw new NotAnAssignment(`a quote that does not close`, `end the value with ${quote}`);
    return this.#take();
  }

  #step(): void {
    if (this.#text[this.#at] === "\n") this.line++;
    this.#at++;
  }
}
