// Turns logs into the sections of one report. logcheck sorts everything and then filters; filtering first and sorting
// what is left gives the same report, and needs memory for what is reported instead of for the logs.
import type { Layer } from "../core/events.ts";
import type { RuleBook } from "./rules.ts";
import { SortedLines } from "./sortedlines.ts";

/** One section of a report, in the report's order. `name` is the rule file's, empty in the system layer. */
export type GatheredSection = { readonly layer: Layer; readonly name: string; readonly number: number };

export type GatherOptions = {
  /** `SORTUNIQ`: order by whole lines and report each distinct line once. */
  readonly sortUniq: boolean;
  /** A directory of our own, for what does not fit in memory. */
  readonly spillDir: () => string;
  /** Bytes of reported lines kept in memory. */
  readonly budgetBytes?: number;
};

/** A line longer than this is judged in pieces, so that a log without newlines cannot fill the memory. */
export const MAX_LINE_BYTES = 16 << 20;

const NEWLINE = 0x0a;

// A violation that a cracking rule matches too: left out when the report holds any attack.
const ALWAYS = 0;
const UNLESS_ATTACK = 1;

/** Reads logs one after another and keeps what is to be reported. */
export class Gatherer {
  /** Lines read so far. */
  lineCount = 0;
  /** Pieces that were cut from lines over `MAX_LINE_BYTES`. */
  cutCount = 0;
  readonly #book: RuleBook;
  readonly #lines: SortedLines;
  readonly #sections: readonly GatheredSection[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #systemNumber: number;
  // Lines per section, by mark.
  readonly #counts: { always: number; unlessAttack: number }[];
  #attack = false;
  #carry: Uint8Array[] = [];
  #carryBytes = 0;

  constructor(book: RuleBook, options: GatherOptions) {
    this.#book = book;
    this.#lines = new SortedLines({
      wholeLines: options.sortUniq,
      spillDir: options.spillDir,
      ...(options.budgetBytes === undefined ? {} : { budgetBytes: options.budgetBytes }),
    });
    const raised = (["cracking", "violations"] as const).flatMap((layer) =>
      book.layers[layer].map(({ name }) => ({ layer, name })),
    );
    this.#sections = [...raised, { layer: "system" as const, name: "" }].map((section, number) => ({
      ...section,
      number,
    }));
    this.#numbers = new Map(this.#sections.map(({ layer, name, number }) => [`${layer}/${name}`, number]));
    this.#systemNumber = this.#sections.length - 1;
    this.#counts = this.#sections.map(() => ({ always: 0, unlessAttack: 0 }));
  }

  /** More of the current log. The bytes are free to change once this returns. */
  write(chunk: Uint8Array): void {
    let start = 0;
    if (this.#carryBytes > 0) {
      const newline = chunk.indexOf(NEWLINE);
      if (newline < 0) {
        this.#keep(chunk);
        return;
      }
      this.#keep(chunk.subarray(0, newline));
      this.#flushCarry();
      start = newline + 1;
    }
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, start);
      if (newline < 0) break;
      this.#take(chunk, start, newline);
      start = newline + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The current log is at its end; an unfinished last line counts as a line. */
  endOfLog(): void {
    if (this.#carryBytes > 0) this.#flushCarry();
  }

  /** Whether any line is reported as an attack. Settled once all logs are read. */
  get attack(): boolean {
    return this.#attack;
  }

  /** The sections that hold a line, in the report's order. */
  sections(): GatheredSection[] {
    return this.#sections.filter(({ number }) => {
      const { always, unlessAttack } = this.#counts[number]!;
      return always > 0 || (!this.#attack && unlessAttack > 0);
    });
  }

  /** Visits the lines of a section, sorted, as they were read: trailing blanks are still on. */
  visit(section: GatheredSection, visitor: (bytes: Uint8Array, start: number, end: number) => void): void {
    this.#lines.visit(section.number, (bytes, start, end, mark) => {
      if (mark === ALWAYS || !this.#attack) visitor(bytes, start, end);
    });
  }

  [Symbol.dispose](): void {
    this.#lines[Symbol.dispose]();
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    this.lineCount++;
    const judgement = this.#book.judge(bytes, start, end);
    if (judgement.system) this.#add(this.#systemNumber, bytes, start, end, ALWAYS);
    for (const { section } of judgement.cracking) {
      this.#attack = true;
      this.#add(this.#numbers.get(`cracking/${section}`)!, bytes, start, end, ALWAYS);
    }
    if (judgement.crackingMatched && this.#attack) return;
    const mark = judgement.crackingMatched ? UNLESS_ATTACK : ALWAYS;
    for (const { section } of judgement.violations) {
      this.#add(this.#numbers.get(`violations/${section}`)!, bytes, start, end, mark);
    }
  }

  #add(number: number, bytes: Uint8Array, start: number, end: number, mark: number): void {
    this.#lines.add(number, bytes, start, end, mark);
    this.#counts[number]![mark === ALWAYS ? "always" : "unlessAttack"]++;
  }

  #keep(piece: Uint8Array): void {
    this.#carry.push(piece.slice());
    this.#carryBytes += piece.length;
    if (this.#carryBytes > MAX_LINE_BYTES) {
      this.cutCount++;
      this.#flushCarry();
    }
  }

  #flushCarry(): void {
    const whole = new Uint8Array(this.#carryBytes);
    let at = 0;
    for (const piece of this.#carry) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#carry = [];
    this.#carryBytes = 0;
    this.#take(whole, 0, whole.length);
  }
}
