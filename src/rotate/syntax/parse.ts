// Splits the text of a logrotate configuration into directives, stanzas and scripts, without yet knowing what a directive
// means. The grammar is the one that logrotate(8) documents and its 3.21 binary shows: a line starts with a keyword
// or a file name, a value runs to the end of its line, a `#` is a comment only where a line or word could start.
import type { ConfigFault } from "../../core/errors.ts";
import { SCRIPT_NAMES, type Script, type ScriptName } from "../types.ts";

export type DirectiveEntry = {
  readonly kind: "directive";
  readonly key: string;
  /** The rest of the line, trimmed, without the optional `=`; "" when there is none. */
  readonly value: string;
  readonly line: number;
};
export type ScriptEntry = {
  readonly kind: "script";
  readonly name: ScriptName;
  readonly script: Script;
  readonly line: number;
};
export type StanzaEntry = {
  readonly kind: "stanza";
  readonly patternText: string;
  /** The pattern text split as a shell would split it. */
  readonly patterns: readonly string[];
  readonly line: number;
  readonly entries: readonly (DirectiveEntry | ScriptEntry)[];
  /** Any fault inside: the stanza must not run. */
  readonly broken: boolean;
};
export type Entry = DirectiveEntry | ScriptEntry | StanzaEntry;

export type ParsedConfig = {
  readonly entries: readonly Entry[];
  readonly faults: readonly ConfigFault[];
  /** The text went wrong outside any stanza: what follows was not read. */
  readonly stopped: boolean;
};

// Directives whose word stands alone: what follows on the line is read as another directive, as logrotate does.
const BARE = new Set(
  (
    "compress nocompress delaycompress nodelaycompress sharedscripts nosharedscripts copy nocopy copytruncate " +
    "nocopytruncate renamecopy norenamecopy missingok nomissingok ignoreduplicates ifempty notifempty dateext " +
    "nodateext dateyesterday nodateyesterday datehourago nodatehourago noolddir nocreateolddir nocreate nomail " +
    "mailfirst maillast shred noshred allowhardlink noallowhardlink hourly daily yearly"
  ).split(" "),
);
const SCRIPTS = new Set<string>(SCRIPT_NAMES);
const QUOTES = new Set(["'", '"']);

/** Splits words as popt and a shell do: blanks separate, `'…'`, `"…"` and `\` quote. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let open = false;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quote !== "") {
      if (char === quote) quote = "";
      else if (char === "\\" && quote === '"' && i + 1 < text.length) {
        const next = text[++i]!;
        word += next === '"' || next === "\\" ? next : `\\${next}`;
      } else word += char;
    } else if (
      char === " " ||
      char === "\t" ||
      char === "\n" ||
      char === "\r" ||
      char === "\f" ||
      char === "\v"
    ) {
      if (open) words.push(word);
      word = "";
      open = false;
    } else {
      open = true;
      if (char === "\\" && i + 1 < text.length) word += text[++i];
      else if (QUOTES.has(char)) quote = char;
      else word += char;
    }
  }
  if (open) words.push(word);
  return words;
}

/**
 * Reads one configuration text.
 * @param text the file's content
 * @param file its name, for faults and script places
 */
export function parseSyntax(text: string, file: string): ParsedConfig {
  const reader = new Reader(text, file);
  return reader.read();
}

type OpenStanza = {
  patternText: string;
  patterns: string[];
  line: number;
  entries: (DirectiveEntry | ScriptEntry)[];
  broken: boolean;
};

class Reader {
  readonly #text: string;
  readonly #file: string;
  readonly #entries: Entry[] = [];
  readonly #faults: ConfigFault[] = [];
  #at = 0;
  #line = 1;
  #stanza: OpenStanza | null = null;
  #stopped = false;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  read(): ParsedConfig {
    while (!this.#stopped && this.#skipBlank()) {
      const char = this.#text[this.#at]!;
      if (char === "#") this.#restOfLine();
      else if (char === "}") this.#close();
      else if (char === "/" || char === "~" || QUOTES.has(char)) this.#open();
      else if (/[A-Za-z]/.test(char)) this.#keyword();
      else {
        const found = this.#restOfLine();
        this.#fault(
          "",
          `lines must begin with a keyword or a filename (possibly in double quotes), found ${quoted(found)}`,
          "start the line with a directive, a path in double quotes, or # for a comment",
        );
      }
    }
    this.#unclosed("unexpected end of file, missing '}' after log file definition");
    this.#finish();
    return { entries: this.#entries, faults: this.#faults, stopped: this.#stopped };
  }

  // Moves to the next character that is not blank; false at the end of the text.
  #skipBlank(): boolean {
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]!;
      if (char === "\n") this.#line++;
      else if (!/\s/.test(char)) return true;
    }
    return false;
  }

  #restOfLine(): string {
    const end = this.#text.indexOf("\n", this.#at);
    const stop = end < 0 ? this.#text.length : end;
    const rest = this.#text.slice(this.#at, stop);
    this.#at = stop;
    return rest;
  }

  #fault(key: string, message: string, mend: string, line = this.#line): void {
    const inside = this.#stanza !== null;
    if (this.#stanza !== null) this.#stanza.broken = true;
    else this.#stopped = true;
    const consequence = inside ? "stanza skipped" : "rest of the file skipped";
    this.#faults.push({ file: this.#file, line, key, message, mend, consequence });
  }

  #warn(key: string, message: string, mend: string, consequence: string): void {
    this.#faults.push({ file: this.#file, line: this.#line, key, message, mend, consequence });
  }

  #unclosed(message: string): void {
    if (this.#stanza === null) return;
    const mend = "write a } on a line of its own after the stanza";
    this.#fault("", message, mend, this.#stanza.line);
  }

  #peekLine(): string {
    const end = this.#text.indexOf("\n", this.#at);
    return this.#text.slice(this.#at, end < 0 ? this.#text.length : end);
  }

  #open(): void {
    const line = this.#line;
    if (this.#stanza !== null) {
      if (!/^[^\n]*\{[ \t]*$/m.test(this.#peekLine())) {
        const found = this.#restOfLine();
        this.#fault(
          "",
          `unexpected log filename ${quoted(found.trim())} inside a stanza`,
          "close the stanza before it with } on a line of its own",
        );
        return;
      }
      // A new stanza begins: the one before was never closed, and must not take this one with it.
      this.#unclosed("a new stanza begins, and the { of this one is never closed");
      this.#finish();
    }
    let text = "";
    let lineStart = false;
    let quote = "";
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]!;
      if (char === "{" && this.#opensHere(quote)) break;
      if (char === "}" && lineStart && this.#peekLine().slice(1).trim() === "") {
        this.#at++;
        const mend = "write { after the file names";
        this.#warn("", "unexpected } (missing previous '{')", mend, "stanza skipped");
        return;
      }
      if (char === "\n") {
        this.#line++;
        lineStart = true;
        quote = "";
      } else if (lineStart && char === "#") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = (end < 0 ? this.#text.length : end) - 1;
        continue;
      } else if (!/\s/.test(char)) {
        lineStart = false;
        if (quote !== "" && char === quote) quote = "";
        else if (quote === "" && QUOTES.has(char)) quote = char;
        else if (char === "\\" && quote !== "'" && this.#at + 1 < this.#text.length) {
          text += char + this.#text[++this.#at]!;
          continue;
        }
      }
      text += char;
    }
    if (this.#at >= this.#text.length) {
      this.#fault(
        "",
        "missing '{' after log files definition",
        "write { after the file names and } after the directives",
        line,
      );
      return;
    }
    this.#at++;
    const patternText = text.trimEnd();
    this.#stanza = { patternText, patterns: splitWords(text), line, entries: [], broken: false };
  }

  // Whether the `{` here opens the stanza, rather than being in a quote or in a pattern such as `{a,b}.log`. At the end of a
  // line it opens even inside a quote that somebody forgot to close.
  #opensHere(quote: string): boolean {
    const rest = this.#peekLine().slice(1);
    if (rest.trim() === "") return true;
    if (quote !== "") return false;
    return !/\S/.test(this.#text[this.#at - 1] ?? " ") || !/^[^\s{}]+\}/.test(rest);
  }

  #close(): void {
    this.#at++;
    if (this.#stanza === null) {
      this.#warn(
        "",
        "unexpected } (missing previous '{')",
        "remove it, or write the { that it closes",
        "ignored",
      );
      return;
    }
    this.#finish();
    const end = this.#text.indexOf("\n", this.#at);
    const rest = this.#text.slice(this.#at, end < 0 ? this.#text.length : end).trim();
    if (rest !== "" && !rest.startsWith("#")) {
      this.#warn(
        "",
        `unexpected text after }: ${quoted(rest)}`,
        "move it to a line of its own",
        "text ignored",
      );
    }
    this.#restOfLine();
  }

  #finish(): void {
    if (this.#stanza !== null) this.#entries.push({ kind: "stanza", ...this.#stanza });
    this.#stanza = null;
  }

  #keyword(): void {
    const line = this.#line;
    const key = /[A-Za-z]+/y;
    key.lastIndex = this.#at;
    const word = key.exec(this.#text)![0];
    this.#at += word.length;
    const after = this.#text[this.#at];
    if (after !== undefined && after !== "=" && !/\s/.test(after)) {
      this.#restOfLine();
      this.#fault(
        word,
        `is not properly separated, found ${quoted(after)} right after it`,
        `write "${word}", a blank, and its value`,
      );
      return;
    }
    if (SCRIPTS.has(word)) {
      this.#script(word as ScriptName, line);
      return;
    }
    if (BARE.has(word)) {
      const equals = /[ \t]*=?/y;
      equals.lastIndex = this.#at;
      this.#at += equals.exec(this.#text)![0].length;
      this.#push({ kind: "directive", key: word, value: "", line });
      return;
    }
    const value = this.#restOfLine()
      .replace(/^[ \t]*=?[ \t]*/, "")
      .trimEnd();
    this.#valued(word, value, line);
  }

  // logrotate reads the } of `{ rotate 5 }` as part of the value. So do we, but the stanza still ends there, or the
  // next one would be swallowed.
  #valued(key: string, value: string, line: number): void {
    if (this.#stanza !== null && /(^|\s|\d)\}$/.test(value)) {
      this.#fault(
        key,
        `reads its value to the end of the line, found ${quoted(value)}`,
        "write the } on a line of its own",
      );
      this.#finish();
    } else this.#push({ kind: "directive", key, value, line });
  }

  #script(name: ScriptName, line: number): void {
    const from = this.#at;
    const end = /^[ \t]*endscript(?=\s|$).*$/m;
    const restText = this.#text.slice(from);
    const hit = end.exec(restText);
    if (hit === null) {
      this.#fault(name, "has no endscript", "write endscript on a line of its own after the script", line);
      this.#at = this.#text.length;
      return;
    }
    const text = restText.slice(0, hit.index);
    this.#line += restText.slice(0, hit.index + hit[0].length).split("\n").length - 1;
    this.#at = from + hit.index + hit[0].length;
    this.#push({ kind: "script", name, script: { text, place: { file: this.#file, line } }, line });
  }

  #push(...entries: (DirectiveEntry | ScriptEntry)[]): void {
    for (const entry of entries) (this.#stanza?.entries ?? this.#entries).push(entry);
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
