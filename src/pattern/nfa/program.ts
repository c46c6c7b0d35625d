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

class Builder {
  #op = new Uint8Array(4096);
  #arg = new Int32Array(4096);
  #next = new Int32Array(4096);
  #lowest = new Int32Array(4096);
  #count = 0;
  #hasWordAssertions = false;

  build(members: readonly Member[]): Program {
    const trie = new PrefixTree(members);
    // A child's number is larger than its parent's, so from the last to the first every way on is known.
    const entries = new Int32Array(trie.size).fill(-1);
    for (const { number, at } of trie.ends) {
      entries[at] = this.#either(this.#add(OP_ACCEPT, number, -1, number), entries[at]!);
    }
    for (let child = trie.size - 1; child > 0; child--) {
      const parent = trie.parents[child]!;
      entries[parent] = this.#either(this.#emit(trie.items[child]!, entries[child]!), entries[parent]!);
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

// The patterns' items as a tree in which equal beginnings are one path. Node 0 is the root.
class PrefixTree {
  size = 1;
  /** Per node: its parent, and the item that leads to it from there. */
  readonly parents: number[] = [-1];
  readonly items: SyntaxNode[] = [{ kind: "empty" }];
  /** Where each member ends. */
  readonly ends: { number: number; at: number }[] = [];
  // Most nodes have one child: it needs no map.
  readonly #onlyKey: number[] = [-1];
  readonly #onlyChild: number[] = [-1];
  readonly #others = new Map<number, Map<number, number>>();
  readonly #keys = new Map<string, number>();
  // Nodes that patterns share as objects need their text only once.
  readonly #keyOfNode = new Map<SyntaxNode, number>();

  constructor(members: readonly Member[]) {
    // The path of the member before: as far as the items are the same objects, so are the tree's nodes.
    let before: readonly SyntaxNode[] = [];
    const path = [0];
    for (const { number, node } of members) {
      const items = node.kind === "concat" ? node.items : [node];
      let depth = 0;
      while (depth < items.length && depth < before.length && items[depth] === before[depth]) depth++;
      path.length = depth + 1;
      for (; depth < items.length; depth++) path.push(this.#child(path[depth]!, items[depth]!));
      this.ends.push({ number, at: path[depth]! });
      before = items;
    }
  }

  #child(parent: number, item: SyntaxNode): number {
    const key = this.#keyOf(item);
    if (this.#onlyKey[parent] === key) return this.#onlyChild[parent]!;
    const known = this.#others.get(parent)?.get(key);
    if (known !== undefined) return known;
    const child = this.size++;
    this.parents.push(parent);
    this.items.push(item);
    this.#onlyKey.push(-1);
    this.#onlyChild.push(-1);
    if (this.#onlyChild[parent] === -1) {
      this.#onlyKey[parent] = key;
      this.#onlyChild[parent] = child;
    } else {
      let others = this.#others.get(parent);
      if (others === undefined) this.#others.set(parent, (others = new Map()));
      others.set(key, child);
    }
    return child;
  }

  // Sets are even numbers, all else is numbered as it comes.
  #keyOf(item: SyntaxNode): number {
    if (item.kind === "set") return item.set * 2;
    const known = this.#keyOfNode.get(item);
    if (known !== undefined) return known;
    const text = textOf(item);
    let key = this.#keys.get(text);
    if (key === undefined) this.#keys.set(text, (key = this.#keys.size * 2 + 1));
    this.#keyOfNode.set(item, key);
    return key;
  }
}

// A text that two nodes share exactly when they mean the same.
function textOf(node: SyntaxNode): string {
  switch (node.kind) {
    case "empty":
      return "e";
    case "set":
      return `s${node.set}`;
    case "assert":
      return `@${node.what}`;
    case "group":
      return textOf(node.body);
    case "concat":
      return `(${node.items.map(textOf).join(".")})`;
    case "alternate":
      return `(${node.branches.map(textOf).join("|")})`;
    case "repeat":
      return `{${textOf(node.body)}:${node.min}:${node.max}}`;
    case "back-reference":
      return `\\${node.number}`;
  }
}
