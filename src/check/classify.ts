// Decides what logcheck would say about one line. logcheck filters whole files, one rule file after another; what it
// says about a line depends on that line alone, but for one thing (see `Judgement.crackingMatched`). So the rules
// of all layers are one automaton, and nearly every line is settled by one pass over its bytes.
import type { ConfigFault } from "../core/errors.ts";
import { compilePatternSet, type Lines, type PatternSet, patternSetKey } from "../pattern/set.ts";
import { trimmedEnd } from "./blanks/match.ts";
import type { CompileSet } from "./compiled.ts";
import { writeOtherStamp } from "./stamp/parse.ts";
import type { Classified, Judgement, Locale, Rule, RuleFile, RuleLayers } from "./types.ts";

export type ClassifierOptions = {
  readonly locale: Locale;
  /** A rule written for one spelling of the timestamp accepts the other. */
  readonly eitherTimestamp: boolean;
  /** Compiles the rules; `compilePatternSet` when not given. */
  readonly compile?: CompileSet;
};

// How a matcher's rules become an automaton.
type Compiling = { readonly locale: Locale; readonly compile: CompileSet };

/** What most lines need to be asked: nothing to report, a system event, or raised by a rule: then `judge` knows more. */
export type Verdict = typeof IGNORED | typeof SYSTEM_EVENT | typeof RAISED;
export const IGNORED = 0;
export const SYSTEM_EVENT = 1;
const RAISED = 2;

const NOTHING: Judgement = { cracking: [], violations: [], crackingMatched: false, system: false };
const SYSTEM: Judgement = { ...NOTHING, system: true };
const NO_SECTIONS: readonly Classified[] = [];

/** The special rule file: cancelled by every ignore rule, and reported under the plain heading. */
export const GENERIC_SECTION = "logcheck";

/** The rules of all layers, ready to judge lines. Invalid rules are left out, each with a fault. */
export class Classifier {
  readonly faults: readonly ConfigFault[];
  readonly #locale: Locale;
  readonly #everything: Matcher;
  // Of #everything's rules, those before this index raise lines and the others ignore them.
  readonly #raising: number;
  readonly #raise: Matcher;
  readonly #cracking: RaiseLayer;
  readonly #violations: RaiseLayer;
  readonly #line: LineBox;
  // For a batch of lines: where each ends once its trailing blanks are cut, and the first rule that matches it.
  #trimmedEnds = new Int32Array(0);
  #firsts = new Int32Array(0);

  constructor(layers: RuleLayers, options: ClassifierOptions) {
    this.#locale = options.locale;
    this.#line = new LineBox(options.eitherTimestamp);
    const compiling: Compiling = { locale: options.locale, compile: options.compile ?? compilePatternSet };
    const raise = [...layers.cracking, ...layers.violations];
    this.#everything = new Matcher([...raise, ...layers.ignore], compiling, WHOLE_CACHE_BYTES);
    this.#raise = new Matcher(raise, compiling);
    this.#raising = distinct(raise.flatMap((file) => file.rules)).length;
    this.#cracking = new RaiseLayer("cracking", layers.cracking, layers.crackingIgnore, compiling);
    this.#violations = new RaiseLayer("violations", layers.violations, layers.violationsIgnore, compiling);
    const cancelling = new Matcher([...layers.crackingIgnore, ...layers.violationsIgnore], compiling);
    this.faults = [this.#everything, cancelling].flatMap((rules) => rules.faults());
  }

  /** Everything the rules say about the line in `bytes[start, end)`, newline excluded. Trailing blanks are cut first. */
  judge(bytes: Uint8Array, start = 0, end = bytes.length): Judgement {
    const verdict = this.verdict(bytes, start, end);
    if (verdict === IGNORED) return NOTHING;
    if (verdict === SYSTEM_EVENT) return SYSTEM;
    const line = this.#line;
    const crackingMatched = this.#cracking.matches(line);
    const violationsMatched = this.#violations.matches(line);
    return {
      cracking: crackingMatched ? this.#cracking.sections(line) : NO_SECTIONS,
      violations: violationsMatched ? this.#violations.sections(line) : NO_SECTIONS,
      crackingMatched,
      // Lines that a raising rule matches were reported above, or cancelled on purpose.
      system: false,
    };
  }

  /** The short answer: cheap, and all there is to say about nearly every line. */
  verdict(bytes: Uint8Array, start: number, end: number): Verdict {
    this.#line.hold(bytes, start, trimmedEnd(bytes, start, end, this.#locale));
    return this.#verdictFrom(this.#everything.firstIndex(this.#line));
  }

  /** The verdict on each of the lines, into `into`. Much faster than line by line. */
  verdicts(bytes: Uint8Array, { starts, ends, count }: Lines, into: Uint8Array): void {
    if (this.#firsts.length < count) {
      this.#firsts = new Int32Array(count);
      this.#trimmedEnds = new Int32Array(count);
    }
    const trimmed = this.#trimmedEnds;
    for (let i = 0; i < count; i++) trimmed[i] = trimmedEnd(bytes, starts[i]!, ends[i]!, this.#locale);
    this.#everything.firstIndices(bytes, { starts, ends: trimmed, count }, this.#firsts);
    for (let i = 0; i < count; i++) {
      this.#line.hold(bytes, starts[i]!, trimmed[i]!);
      into[i] = this.#verdictFrom(this.#firsts[i]!);
    }
  }

  // The verdict on the line at hand, of which `first` is the first rule that matches it as it stands, or -1.
  #verdictFrom(first: number): Verdict {
    const line = this.#line;
    if (first >= 0 && first < this.#raising) return RAISED;
    // Ignored as it stands: of its other spelling, only the rules that raise could say anything new.
    const asked = first < 0 ? this.#everything : this.#raise;
    if (!line.mayHaveOther() || asked.agreesOnOther(line)) return first < 0 ? SYSTEM_EVENT : IGNORED;
    const other = asked.firstIndexOfOther(line);
    if (other < 0) return first < 0 ? SYSTEM_EVENT : IGNORED;
    return other < this.#raising ? RAISED : IGNORED;
  }

  /** Names the rules that decide verdicts: two classifiers of one name agree on every line. */
  name(): string {
    return `${this.#raising} ${this.#line.either} ${this.#everything.name()}`;
  }

  /** logcheck's decision for one line as it arrives: its most serious section, null when it is ignored. */
  classify(line: Uint8Array): Classified | null {
    const judgement = this.judge(line);
    if (judgement.system) return { layer: "system", section: "" };
    return judgement.cracking[0] ?? judgement.violations[0] ?? null;
  }
}

// One layer whose rules raise lines, with the rules that cancel what it raised.
class RaiseLayer {
  readonly #layer: "cracking" | "violations";
  readonly #all: Matcher;
  readonly #files: readonly { readonly name: string; readonly rules: Matcher }[];
  readonly #cancelling: ReadonlyMap<string, Matcher>;
  readonly #cancelEverything: Matcher;
  readonly #localNames: readonly string[];

  constructor(
    layer: "cracking" | "violations",
    raise: readonly RuleFile[],
    cancel: readonly RuleFile[],
    compiling: Compiling,
  ) {
    this.#layer = layer;
    this.#all = new Matcher(raise, compiling);
    this.#files = raise.map((file) => ({ name: file.name, rules: new Matcher([file], compiling) }));
    this.#cancelling = new Map(cancel.map((file) => [file.name, new Matcher([file], compiling)]));
    this.#cancelEverything = new Matcher(cancel, compiling);
    this.#localNames = cancel
      .map((file) => file.name)
      .filter((name) => name === "local" || name.startsWith("local-"));
  }

  matches(line: LineBox): boolean {
    return this.#all.matches(line);
  }

  // The sections in which the line is reported, in the order of the report.
  sections(line: LineBox): Classified[] {
    const out: Classified[] = [];
    for (const { name, rules } of this.#files) {
      const rule = rules.first(line);
      if (rule !== null && !this.#cancelled(name, line)) {
        out.push({ layer: this.#layer, section: name, rule: rule.place });
      }
    }
    return out;
  }

  #cancelled(name: string, line: LineBox): boolean {
    for (const twin of [name, `logcheck-${name}`, ...this.#localNames]) {
      if (this.#cancelling.get(twin)?.matches(line) === true) return true;
    }
    if (name !== GENERIC_SECTION) return false;
    return this.#cancelEverything.matches(line) || this.#raisedElsewhere(line);
  }

  // logcheck means "files that do not start with logcheck", and writes the regular expression `^logcheck*`, whose
  // star makes the k optional. What it does is kept.
  #raisedElsewhere(line: LineBox): boolean {
    return this.#files.some(({ name, rules }) => !name.startsWith("logchec") && rules.matches(line));
  }
}

// The line under judgement, in its own spelling and, made when first asked for, with the other timestamp.
class LineBox {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Where the text after the timestamp begins. */
  stampEnd = 0;
  /** The other spelling: its timestamp once `mayHaveOther` was asked, all of it once `hasOther` was. */
  other: Uint8Array = new Uint8Array(1024);
  otherStampEnd = UNASKED;
  otherEnd = UNASKED;
  readonly either: boolean;

  constructor(either: boolean) {
    this.either = either;
  }

  hold(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.otherEnd = this.either ? UNASKED : NONE;
    this.otherStampEnd = this.otherEnd;
  }

  /** Whether the line has another spelling; makes no more than its timestamp. */
  mayHaveOther(): boolean {
    if (this.otherStampEnd === UNASKED) {
      const stamp = writeOtherStamp(this.bytes, this.start, this.end, this.other);
      this.stampEnd = stamp?.end ?? NONE;
      this.otherStampEnd = stamp?.length ?? NONE;
    }
    return this.otherStampEnd !== NONE;
  }

  hasOther(): boolean {
    if (!this.mayHaveOther()) return false;
    if (this.otherEnd === UNASKED) {
      this.otherEnd = this.otherStampEnd + this.end - this.stampEnd;
      if (this.other.length < this.otherEnd) this.#grow(2 * this.otherEnd);
      this.other.set(this.bytes.subarray(this.stampEnd, this.end), this.otherStampEnd);
    }
    return true;
  }

  #grow(length: number): void {
    const larger = new Uint8Array(length);
    larger.set(this.other.subarray(0, this.otherStampEnd));
    this.other = larger;
  }
}

// Ends that are none.
const NONE = -1;
const UNASKED = -2;

// What an automaton may remember of its states. The one that sees every line gets most; there are as many of the others
// as rule files that raise or cancel, and strangers write the lines that fill them.
const WHOLE_CACHE_BYTES = 16 << 20;
const PART_CACHE_BYTES = 1 << 20;

// Rules as one automaton, compiled when the first line asks: many sections never see one.
class Matcher {
  readonly #compiling: Compiling;
  readonly #rules: readonly Rule[];
  readonly #cacheBytes: number;
  #compiled: Automaton | undefined;

  constructor(files: readonly RuleFile[], compiling: Compiling, cacheBytes = PART_CACHE_BYTES) {
    this.#compiling = compiling;
    this.#cacheBytes = cacheBytes;
    this.#rules = files.flatMap((file) => file.rules);
  }

  matches(line: LineBox): boolean {
    if (this.#rules.length === 0) return false;
    const { set } = this.#automaton();
    if (set.matches(line.bytes, line.start, line.end)) return true;
    return line.hasOther() && set.matches(line.other, 0, line.otherEnd);
  }

  /** Whether it is sure that the line's other spelling, which it must have, is matched by the same rules. */
  agreesOnOther({ bytes, start, stampEnd, other, otherStampEnd }: LineBox): boolean {
    if (this.#rules.length === 0) return true;
    return this.#automaton().set.leadAlike(bytes, start, stampEnd, other, 0, otherStampEnd);
  }

  /** The first rule, in the order of files and lines, that matches. */
  first(line: LineBox): Rule | null {
    const own = this.firstIndex(line);
    const other = this.firstIndexOfOther(line);
    const index = own < 0 || (other >= 0 && other < own) ? other : own;
    return index < 0 ? null : this.#automaton().rules[index]!;
  }

  /** The index, among the distinct rules, of the first that matches the line as it stands, or -1. */
  firstIndex(line: LineBox): number {
    if (this.#rules.length === 0) return -1;
    return this.#automaton().set.first(line.bytes, line.start, line.end);
  }

  /** firstIndex of each of these lines as they stand, into `into`. */
  firstIndices(bytes: Uint8Array, lines: Lines, into: Int32Array): void {
    if (this.#rules.length === 0) into.fill(-1, 0, lines.count);
    else this.#automaton().set.firstOfEach(bytes, lines, into);
  }

  /** As firstIndex, for the line's other spelling. */
  firstIndexOfOther(line: LineBox): number {
    if (this.#rules.length === 0 || !line.hasOther()) return -1;
    return this.#automaton().set.first(line.other, 0, line.otherEnd);
  }

  name(): string {
    const bytes = this.#automaton().rules.map((rule) => rule.bytes);
    return patternSetKey(bytes, { locale: this.#compiling.locale });
  }

  /** Compiles now; the rules that are none. */
  faults(): readonly ConfigFault[] {
    return this.#automaton().faults;
  }

  #automaton(): Automaton {
    return (this.#compiled ??= compileRules(this.#rules, this.#compiling, this.#cacheBytes));
  }
}

type Automaton = {
  readonly set: PatternSet;
  /** The rule behind each index that the set answers. */
  readonly rules: readonly Rule[];
  readonly faults: readonly ConfigFault[];
};

// The same rule often stands in several files: it is compiled once, in its first place, and faulted in each.
function distinct(rules: readonly Rule[]): Rule[][] {
  const groups = new Map<string, Rule[]>();
  for (const rule of rules) {
    const { buffer, byteOffset, byteLength } = rule.bytes;
    const key = Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
    const same = groups.get(key);
    if (same === undefined) groups.set(key, [rule]);
    else same.push(rule);
  }
  return [...groups.values()];
}

function compileRules(all: readonly Rule[], { locale, compile }: Compiling, cacheBytes: number): Automaton {
  const groups = distinct(all);
  const rules = groups.map((group) => group[0]!);
  const { set, faults } = compile(
    rules.map((rule) => rule.bytes),
    { locale, cacheBytes },
  );
  return {
    set,
    rules,
    faults: faults.flatMap(({ index, position, reason, mend }) =>
      groups[index]!.map(({ place }) => ({
        file: place.file,
        line: place.line,
        key: "",
        message: `not a pattern that grep -E accepts: ${reason} at byte ${position + 1} of "${place.text}"`,
        mend,
        consequence: "rule skipped, the others stay in force",
      })),
    ),
  };
}
