// Turns logs into the sections of one report. logcheck sorts everything and then filters; filtering first and sorting
// what is left gives the same report, and needs memory for what is reported instead of for the logs.
import type { Layer } from "../core/events.ts";
import { trimmedEnd } from "./blanks/match.ts";
import { IGNORED, SYSTEM_EVENT, type Verdict } from "./classify.ts";
import { LineSplitter } from "./lines.ts";
import { sortKeyEnd } from "./order/match.ts";
import type { RuleBook } from "./rules.ts";
import { SortedLines, type TextTaker } from "./sortedlines.ts";
import { type HelperRules, Team, type TeamOutput } from "./team/team.ts";
import type { Locale } from "./types.ts";

/** One section of a report, in the report's order. `name` is the rule file's, empty in the system layer. */
export type GatheredSection = { readonly layer: Layer; readonly name: string; readonly number: number };

export type GatherOptions = {
  /** `SORTUNIQ`: order by whole lines and report each distinct line once. */
  readonly sortUniq: boolean;
  /** A directory of our own, for what does not fit in memory. */
  readonly spillDir: () => string;
  /** Bytes of reported lines kept in memory. */
  readonly budgetBytes?: number;
  /** Threads that may help with large logs. `prepare` is called before they start. */
  readonly helpers?: {
    readonly count: number;
    readonly compiled: HelperRules["compiled"];
    readonly prepare?: () => void;
  };
};

// A helper costs 150 ms of CPU before its first verdict. With one on 2 cores, 100 MB take 0.68 s instead of 0.86, and
// 50 MB as long as without.
const HELPERS_FROM_BYTES = 48 << 20;

// A violation that a cracking rule matches too: left out when the report holds any attack.
const ALWAYS = 0;
const UNLESS_ATTACK = 1;

const LINE_END = Uint8Array.of(0x0a);

/** Reads logs one after another and keeps what is to be reported. */
export class Gatherer {
  /** Lines read so far. */
  lineCount = 0;
  readonly #book: RuleBook;
  readonly #lines: SortedLines;
  readonly #sections: readonly GatheredSection[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #systemNumber: number;
  // Lines per section, by mark.
  readonly #counts: { always: number; unlessAttack: number }[];
  readonly #helpers: GatherOptions["helpers"];
  #expectedBytes = 0;
  readonly #team: Team;
  #attack = false;
  readonly #sortUniq: boolean;
  readonly #locale: Locale;
  // Some line is held with its trailing blanks.
  #hasBlanks = false;

  constructor(book: RuleBook, options: GatherOptions) {
    this.#book = book;
    this.#helpers = options.helpers;
    const output: TeamOutput = {
      take: (bytes, start, end, verdict) => this.#report(bytes, start, end, verdict),
      count: (lines) => {
        this.lineCount += lines;
      },
    };
    const longLines = new LineSplitter((bytes, start, end) => this.#take(bytes, start, end));
    this.#team = new Team(book.verdicts, output, longLines);
    this.#sortUniq = options.sortUniq;
    this.#locale = book.options.locale;
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

  /** So much is about to be written: threads are started when that pays. */
  expect(bytes: number): void {
    this.#expectedBytes += bytes;
    const helpers = this.#helpers;
    if (helpers === undefined || helpers.count < 1 || this.#team.hasHelpers) return;
    if (this.#expectedBytes < HELPERS_FROM_BYTES) return;
    helpers.prepare?.();
    const { dir, options } = this.#book;
    this.#team.addHelpers(
      { dir, options, name: this.#book.name(), compiled: helpers.compiled },
      helpers.count,
    );
  }

  /** More of the current log. The bytes are free to change once this returns. */
  write(chunk: Uint8Array): void {
    this.#team.write(chunk);
  }

  /** Where more of the current log may be put instead, to spare a copy; then `filled` is told how much it is. */
  room(): Uint8Array {
    return this.#team.room();
  }

  filled(bytes: number): void {
    this.#team.filled(bytes);
  }

  /** The current log is at its end; an unfinished last line counts as a line. */
  endOfLog(): void {
    this.#team.flush();
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

  /** Visits the lines of a section, sorted, without newline and trailing blanks. */
  visit(section: GatheredSection, visitor: TextTaker): void {
    this.#lines.visit(section.number, (bytes, start, end, mark) => {
      if (mark === ALWAYS || !this.#attack)
        visitor(bytes, start, trimmedEnd(bytes, start, end, this.#locale));
    });
  }

  /** The same lines, each with a newline, as one text in pieces that end anywhere. */
  pour(section: GatheredSection, take: TextTaker): void {
    if (section.layer !== "violations" && !this.#hasBlanks) {
      this.#lines.pour(section.number, take);
      return;
    }
    this.visit(section, (bytes, start, end) => {
      take(bytes, start, end);
      take(LINE_END, 0, 1);
    });
  }

  [Symbol.dispose](): void {
    this.#team[Symbol.dispose]();
    this.#lines[Symbol.dispose]();
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    this.lineCount++;
    const verdict = this.#book.verdict(bytes, start, end);
    if (verdict !== IGNORED) this.#report(bytes, start, end, verdict);
  }

  #report(bytes: Uint8Array, start: number, end: number, verdict: Verdict): void {
    if (verdict === SYSTEM_EVENT) this.#add(this.#systemNumber, bytes, start, end, ALWAYS);
    else this.#raise(bytes, start, end);
  }

  #raise(bytes: Uint8Array, start: number, end: number): void {
    const judgement = this.#book.judge(bytes, start, end);
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
    const { layer } = this.#sections[number]!;
    this.#lines.add(
      number,
      bytes,
      start,
      this.#cutEnd(bytes, start, end),
      layer === "violations" ? mark : undefined,
    );
    this.#counts[number]![mark === ALWAYS ? "always" : "unlessAttack"]++;
  }

  // logcheck cuts trailing blanks once it has sorted. Where they make no difference to the order they are cut at once, so
  // that nobody has to look at the line again.
  #cutEnd(bytes: Uint8Array, start: number, end: number): number {
    const cut = trimmedEnd(bytes, start, end, this.#locale);
    if (cut === end || (!this.#sortUniq && sortKeyEnd(bytes, start, end) <= cut)) return cut;
    this.#hasBlanks = true;
    return end;
  }
}
