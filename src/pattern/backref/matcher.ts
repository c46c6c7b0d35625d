// Matches one pattern with back-references against one line by search with memory. Back-references make matching
// NP-hard (Aho 1990), so the work is counted: past the budget the answer is "undecided", never a long wait.
import { casePartners } from "../locale/case.ts";
import { decodeSymbols } from "../locale/symbols.ts";
import type { SetTable } from "../syntax/set-table.ts";
import type { Assertion, SyntaxNode } from "../syntax/types.ts";
import type { Verdict } from "./types.ts";

// About 50 ms of work, far more than any rule seen in the field needs for a line of 1,000 characters.
const STEP_BUDGET = 200_000;

type Instruction =
  | { do: "set"; set: number; next: number }
  | { do: "split"; next: number; other: number }
  | { do: "assert"; what: Assertion; next: number }
  | { do: "save"; slot: number; next: number }
  | { do: "compare"; group: number; next: number }
  | { do: "accept" };

type Place = { pc: number; at: number; captures: readonly number[] };

export class BackReferenceMatcher {
  readonly #program: Instruction[] = [{ do: "accept" }];
  readonly #sets: SetTable;
  readonly #start: number;
  readonly #budget: number;
  // Captures are kept only for groups that a back-reference names: slot 2i and 2i + 1 for the i-th of them.
  readonly #slots = new Map<number, number>();
  readonly #edge: number;

  constructor(node: SyntaxNode, sets: SetTable, budget = STEP_BUDGET) {
    this.#sets = sets;
    this.#budget = budget;
    this.#edge = sets.edge();
    this.#findReferences(node);
    this.#start = this.#emit(node, 0);
  }

  /** Whether the pattern matches somewhere in `haystack[start, end)`. */
  test(haystack: Uint8Array, start: number, end: number): Verdict {
    const line = decodeSymbols(haystack, start, end, this.#sets.locale);
    const none: readonly number[] = new Array(this.#slots.size * 2).fill(-1);
    const seen = new Set<string>();
    const stack: Place[] = [];
    let steps = 0;
    for (let from = 0; from <= line.length; from++) {
      stack.push({ pc: this.#start, at: from, captures: none });
      while (stack.length > 0) {
        if (++steps > this.#budget) return "undecided";
        const place = stack.pop()!;
        const instruction = this.#program[place.pc]!;
        if (instruction.do === "accept") return "match";
        const key = `${place.pc},${place.at},${place.captures.join()}`;
        if (seen.has(key)) continue;
        seen.add(key);
        this.#advance(instruction, place, line, stack);
      }
    }
    return "no-match";
  }

  #advance(
    instruction: Exclude<Instruction, { do: "accept" }>,
    { at, captures }: Place,
    line: Int32Array,
    stack: Place[],
  ): void {
    const { next } = instruction;
    switch (instruction.do) {
      case "set":
        if (at < line.length && this.#sets.holds(instruction.set, line[at]!)) {
          stack.push({ pc: next, at: at + 1, captures });
        }
        break;
      case "split":
        stack.push({ pc: instruction.other, at, captures }, { pc: next, at, captures });
        break;
      case "assert":
        if (this.#assertionHolds(instruction.what, line, at)) stack.push({ pc: next, at, captures });
        break;
      case "save":
        stack.push({ pc: next, at, captures: captures.with(instruction.slot, at) });
        break;
      case "compare": {
        const slot = this.#slots.get(instruction.group)!;
        const end = this.#compare(line, captures[slot]!, captures[slot + 1]!, at);
        if (end >= 0) stack.push({ pc: next, at: end, captures });
        break;
      }
    }
  }

  // Where the text of a group, standing again at `at`, ends there; -1 when it does not stand there or was never set.
  #compare(line: Int32Array, from: number, to: number, at: number): number {
    if (from < 0 || to < 0 || at + (to - from) > line.length) return -1;
    for (let i = 0; i < to - from; i++) {
      const one = line[from + i]!;
      const other = line[at + i]!;
      if (one === other) continue;
      if (!this.#sets.ignoreCase || !casePartners(one, this.#sets.locale).includes(other)) return -1;
    }
    return at + (to - from);
  }

  #assertionHolds(what: Assertion, line: Int32Array, at: number): boolean {
    const before = at > 0 && this.#sets.holds(this.#edge, line[at - 1]!);
    const after = at < line.length && this.#sets.holds(this.#edge, line[at]!);
    switch (what) {
      case "line-start":
        return at === 0;
      case "line-end":
        return at === line.length;
      case "word-start":
        return !before && after;
      case "word-end":
        return before && !after;
      case "word-edge":
        return before !== after;
      case "no-word-edge":
        return before === after;
    }
  }

  #findReferences(node: SyntaxNode): void {
    switch (node.kind) {
      case "back-reference":
        if (!this.#slots.has(node.number)) this.#slots.set(node.number, this.#slots.size * 2);
        break;
      case "group":
      case "repeat":
        this.#findReferences(node.body);
        break;
      case "concat":
        for (const item of node.items) this.#findReferences(item);
        break;
      case "alternate":
        for (const branch of node.branches) this.#findReferences(branch);
        break;
    }
  }

  #emit(node: SyntaxNode, next: number): number {
    switch (node.kind) {
      case "empty":
        return next;
      case "set":
        return this.#add({ do: "set", set: node.set, next });
      case "assert":
        return this.#add({ do: "assert", what: node.what, next });
      case "back-reference":
        return this.#add({ do: "compare", group: node.number, next });
      case "group": {
        const slot = this.#slots.get(node.number);
        if (slot === undefined) return this.#emit(node.body, next);
        const close = this.#add({ do: "save", slot: slot + 1, next });
        return this.#add({ do: "save", slot, next: this.#emit(node.body, close) });
      }
      case "concat":
        return node.items.reduceRight((entry, item) => this.#emit(item, entry), next);
      case "alternate": {
        const entries = node.branches.map((branch) => this.#emit(branch, next));
        return entries.reduceRight((other, entry) => this.#add({ do: "split", next: entry, other }));
      }
      case "repeat": {
        let entry = next;
        if (node.max === -1) {
          const loop = { do: "split" as const, next: -1, other: next };
          entry = this.#add(loop);
          loop.next = this.#emit(node.body, entry);
        } else {
          for (let i = node.min; i < node.max; i++) {
            entry = this.#add({ do: "split", next: this.#emit(node.body, entry), other: next });
          }
        }
        for (let i = 0; i < node.min; i++) entry = this.#emit(node.body, entry);
        return entry;
      }
    }
  }

  #add(instruction: Instruction): number {
    return this.#program.push(instruction) - 1;
  }
}
