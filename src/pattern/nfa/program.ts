// A set of patterns as one non-deterministic automaton (Thompson 1968). Patterns that begin alike share their
// beginning: two thousand log rules all begin with the same timestamp, and walking it two thousand times is what
// makes rule sets slow.
import type { Assertion, SyntaxNode } from "../syntax/types.ts";

export const OP_SET = 0;
export const OP_SPLIT = 1;
export const OP_ASSERT = 2;
export const OP_ACCEPT = 3;

export const ASSERTIONS: readonly Assertion[] = [
  "line-start",
  "line-end",
  "word-start",
  "word-end",
  "word-edge",
  "no-word-edge",
];

/** One pattern of a set; a pattern of several lines is several members with one number. */
export type Member = { readonly number: number; readonly node: SyntaxNode };

export type Program = {
  /** Per state: OP_*. */
  readonly op: Uint8Array;
  /** OP_SET: the set's number. OP_SPLIT: the second way. OP_ASSERT: index in ASSERTIONS. OP_ACCEPT: the pattern. */
  readonly arg: Int32Array;
  /** The next state; -1 for OP_ACCEPT. */
  readonly next: Int32Array;
  /** The lowest pattern number that can be reached from the state. */
  readonly lowest: Int32Array;
  /** Where every search begins; -1 when there is no pattern. */
  readonly start: number;
  readonly hasWordAssertions: boolean;
};

/** States that `node` needs, or Infinity past `limit`; what a repeat multiplies is counted, not built. */
export function countStates(node: SyntaxNode, limit: number): number {
  const count = (inner: SyntaxNode): number => {
    switch (inner.kind) {
      case "empty":
        return 0;
      case "set":
      case "assert":
      case "back-reference":
        return 1;
      case "group":
        return count(inner.body);
      case "concat":
        return inner.items.reduce((sum, item) => sum + count(item), 0);
      case "alternate":
        return inner.branches.reduce((sum, branch) => sum + count(branch) + 1, 0);
      case "repeat": {
        const times = inner.max === -1 ? Math.max(1, inner.min) : inner.max;
        return (count(inner.body) + 1) * times;
      }
    }
  };
  const total = count(node);
  return total > limit ? Number.POSITIVE_INFINITY : total;
}

/** Builds the automaton. Back-references must have been replaced by what they can match at most. */
export function buildProgram(members: readonly Member[]): Program {
  return new Builder().build(members);
}

type TrieNode = { readonly children: Map<string, { item: SyntaxNode; to: number }>; accepts: number[] };

class Builder {
  #op = new Uint8Array(4096);
  #arg = new Int32Array(4096);
  #next = new Int32Array(4096);
  #lowest = new Int32Array(4096);
  #count = 0;
  #hasWordAssertions = false;

  build(members: readonly Member[]): Program {
    const trie = buildTrie(members);
    // A child's number is larger than its parent's, so from the last to the first every way on is known.
    const entries = new Int32Array(trie.length);
    for (let index = trie.length - 1; index >= 0; index--) {
      const { children, accepts } = trie[index]!;
      let entry = -1;
      for (const number of accepts) {
        entry = this.#either(this.#add(OP_ACCEPT, number, -1, number), entry);
      }
      for (const { item, to } of children.values()) {
        entry = this.#either(this.#emit(item, entries[to]!), entry);
      }
      entries[index] = entry;
    }
    return {
      op: this.#op.slice(0, this.#count),
      arg: this.#arg.slice(0, this.#count),
      next: this.#next.slice(0, this.#count),
      lowest: this.#lowest.slice(0, this.#count),
      start: entries[0]!,
      hasWordAssertions: this.#hasWordAssertions,
    };
  }

  #either(one: number, other: number): number {
    if (other < 0) return one;
    return this.#add(OP_SPLIT, other, one, Math.min(this.#lowest[one]!, this.#lowest[other]!));
  }

  #emit(node: SyntaxNode, next: number): number {
    switch (node.kind) {
      case "empty":
        return next;
      case "set":
        return this.#add(OP_SET, node.set, next, this.#lowest[next]!);
      case "assert":
        if (node.what.includes("word")) this.#hasWordAssertions = true;
        return this.#add(OP_ASSERT, ASSERTIONS.indexOf(node.what), next, this.#lowest[next]!);
      case "group":
        return this.#emit(node.body, next);
      case "concat": {
        let entry = next;
        for (let i = node.items.length - 1; i >= 0; i--) entry = this.#emit(node.items[i]!, entry);
        return entry;
      }
      case "alternate":
        return node.branches.reduce((entry, branch) => this.#either(this.#emit(branch, next), entry), -1);
      case "repeat":
        return this.#emitRepeat(node.body, node.min, node.max, next);
      case "back-reference":
        throw new TypeError("a back-reference reached the automaton");
    }
  }

  #emitRepeat(body: SyntaxNode, min: number, max: number, next: number): number {
    let entry = next;
    let copies = min;
    if (max === -1) {
      const loop = this.#add(OP_SPLIT, next, -1, this.#lowest[next]!);
      const again = this.#emit(body, loop);
      // A body that can be empty and is nothing else leads straight back: the loop is then just the way on.
      this.#next[loop] = again === loop ? next : again;
      entry = min === 0 ? loop : again;
      copies = Math.max(0, min - 1);
    } else {
      for (let i = min; i < max; i++) {
        entry = this.#add(OP_SPLIT, next, this.#emit(body, entry), this.#lowest[next]!);
      }
    }
    for (let i = 0; i < copies; i++) entry = this.#emit(body, entry);
    return entry;
  }

  #add(op: number, arg: number, next: number, lowest: number): number {
    const id = this.#count++;
    if (id === this.#op.length) {
      this.#op = grown(this.#op, new Uint8Array(id * 2));
      this.#arg = grown(this.#arg, new Int32Array(id * 2));
      this.#next = grown(this.#next, new Int32Array(id * 2));
      this.#lowest = grown(this.#lowest, new Int32Array(id * 2));
    }
    this.#op[id] = op;
    this.#arg[id] = arg;
    this.#next[id] = next;
    this.#lowest[id] = lowest;
    return id;
  }
}

function grown<T extends Uint8Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function buildTrie(members: readonly Member[]): TrieNode[] {
  const trie: TrieNode[] = [{ children: new Map(), accepts: [] }];
  for (const { number, node } of members) {
    let at = 0;
    const items = node.kind === "concat" ? node.items : [node];
    for (const item of items) {
      const key = keyOf(item);
      const child = trie[at]!.children.get(key);
      if (child === undefined) {
        trie.push({ children: new Map(), accepts: [] });
        trie[at]!.children.set(key, { item, to: trie.length - 1 });
        at = trie.length - 1;
      } else at = child.to;
    }
    trie[at]!.accepts.push(number);
  }
  return trie;
}

// A text that two nodes share exactly when they mean the same.
function keyOf(node: SyntaxNode): string {
  switch (node.kind) {
    case "empty":
      return "e";
    case "set":
      return `s${node.set}`;
    case "assert":
      return `@${node.what}`;
    case "group":
      return keyOf(node.body);
    case "concat":
      return `(${node.items.map(keyOf).join(".")})`;
    case "alternate":
      return `(${node.branches.map(keyOf).join("|")})`;
    case "repeat":
      return `{${keyOf(node.body)}:${node.min}:${node.max}}`;
    case "back-reference":
      return `\\${node.number}`;
  }
}
