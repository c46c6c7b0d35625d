// Turns logs into the sections of one report. logcheck sorts everything and then filters; filtering first and sorting
// what is left gives the same report, and needs memory for what is reported instead of for the logs.
import type { Layer } from "../core/events.ts";
import { LineSplitter } from "./lines.ts";
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

// A violation that a cracking rule matches too: left out when the report holds any attack.
const ALWAYS = 0;
const UNLESS_ATTACK = 1;

/** Reads logs one after another and keeps what is to be reported. */
export class Gatherer {
  /** Lines read so far. */
  lineCount = 0;
  readonly #book: RuleBook;
  readonly #lines: SortedLines;
  readonly #sections: readonly GatheredSection[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #systemNumber: number;
  readonly #splitter = new LineSplitter((bytes, start, end) => this.#take(bytes, start, end));
  // Lines per section, by mark.
  readonly #counts: { always: number; unlessAttack: number }[];
  #attack = false;

  constructor(book: RuleBook, options: GatherOptions) {
    this.#book = book;
    this.#lines = new SortedLines({
      order: options.sortUniq ? "lines" : "fields",
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
    this.#splitter.write(chunk);
  }

  /** The current log is at its end; an unfinished last line counts as a line. */
  endOfLog(): void {
    this.#splitter.end();
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
}
