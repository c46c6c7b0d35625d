// A pattern without back-references that matches every line the given one matches, and perhaps more: each
// back-reference becomes what its group could have matched. The automaton runs this one, and only lines that pass
// it reach the matcher that costs more than linear time.
import type { SetTable } from "../syntax/set-table.ts";
import type { SyntaxNode } from "../syntax/types.ts";

// A copy larger than this is replaced by "anything": references to references double in size at each level.
const COPY_STATES_MAX = 2_000;

/** The pattern with every back-reference replaced. */
export function overreach(node: SyntaxNode, sets: SetTable): SyntaxNode {
  const groups = new Map<number, SyntaxNode>();
  const anything: SyntaxNode = {
    kind: "repeat",
    body: { kind: "set", set: sets.everything() },
    min: 0,
    max: -1,
  };
  const walk = (inner: SyntaxNode): SyntaxNode => {
    switch (inner.kind) {
      case "back-reference":
        return groups.get(inner.number) ?? anything;
      case "group": {
        const body = walk(inner.body);
        const copy = withoutAssertions(body);
        const earlier = groups.get(inner.number);
        const either: SyntaxNode =
          earlier === undefined ? copy : { kind: "alternate", branches: [earlier, copy] };
        groups.set(inner.number, size(either) > COPY_STATES_MAX ? anything : either);
        return { kind: "group", number: inner.number, body };
      }
      case "concat":
        return { kind: "concat", items: inner.items.map(walk) };
      case "alternate":
        return { kind: "alternate", branches: inner.branches.map(walk) };
      case "repeat":
        return { ...inner, body: walk(inner.body) };
      default:
        return inner;
    }
  };
  return walk(node);
}

// An assertion that held around the group need not hold around the copy.
function withoutAssertions(node: SyntaxNode): SyntaxNode {
  switch (node.kind) {
    case "assert":
      return { kind: "empty" };
    case "group":
      return withoutAssertions(node.body);
    case "concat":
      return { kind: "concat", items: node.items.map(withoutAssertions) };
    case "alternate":
      return { kind: "alternate", branches: node.branches.map(withoutAssertions) };
    case "repeat":
      return { ...node, body: withoutAssertions(node.body) };
    default:
      return node;
  }
}

function size(node: SyntaxNode): number {
  switch (node.kind) {
    case "group":
      return size(node.body);
    case "concat":
      return node.items.reduce((sum, item) => sum + size(item), 0);
    case "alternate":
      return node.branches.reduce((sum, branch) => sum + size(branch) + 1, 0);
    case "repeat":
      return (size(node.body) + 1) * (node.max === -1 ? Math.max(1, node.min) : node.max);
    default:
      return 1;
  }
}
