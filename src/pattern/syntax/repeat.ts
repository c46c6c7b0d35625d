// Repeats of repeats collapse where the result is again one of ? * +, so that a row of stars stays one node.
import type { SyntaxNode } from "./types.ts";

/** `body` repeated `min` to `max` times; `max` -1 is without bound. */
export function repeat(body: SyntaxNode, min: number, max: number): SyntaxNode {
  if (body.kind === "empty" || max === 0) return { kind: "empty" };
  if (min === 1 && max === 1) return body;
  if (body.kind === "repeat" && isSimple(body.min, body.max) && isSimple(min, max)) {
    return {
      kind: "repeat",
      body: body.body,
      min: Math.min(body.min, min),
      max: body.max === 1 && max === 1 ? 1 : -1,
    };
  }
  return { kind: "repeat", body, min, max };
}

// One of ? * + and the empty repeat {1}.
function isSimple(min: number, max: number): boolean {
  return min <= 1 && (max === -1 || (min === 0 && max === 1));
}
