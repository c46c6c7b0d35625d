// What a document shows of a terminal: `$ COMMAND` lines, and below each what it prints. `…` stands for anything on a
// line, and a line of it alone for any number of lines.

/** One command of a document and what is shown below it. */
export type Step = {
  /** Line in the document, from 1. */
  readonly line: number;
  readonly command: string;
  readonly shown: readonly string[];
};

/** A fenced block of a document. */
export type Block = { readonly language: string; readonly line: number; readonly text: string };

/** The fenced code blocks of a Markdown text (CommonMark section 4.5; backticks only, as these documents use them). */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const fence = /^```(\S*)\n([\s\S]*?)^```$/gm;
  for (const match of markdown.matchAll(fence)) {
    const line = markdown.slice(0, match.index).split("\n").length + 1;
    blocks.push({ language: match[1]!, line, text: match[2]! });
  }
  return blocks;
}

/** The commands of a `console` block; a command goes on after a backslash at the end of its line. */
export function stepsOf(block: Block): Step[] {
  const steps: { line: number; command: string; shown: string[] }[] = [];
  let open = false;
  for (const [index, text] of block.text.trimEnd().split("\n").entries()) {
    const last = steps.at(-1);
    if (open && last !== undefined) last.command += `\n${text}`;
    else if (text.startsWith("$ "))
      steps.push({ line: block.line + index, command: text.slice(2), shown: [] });
    else if (last === undefined)
      throw new Error(`line ${block.line + index}: output before the first "$ " line`);
    else last.shown.push(text);
    open = text.endsWith("\\") && (open || text.startsWith("$ "));
  }
  return steps;
}

/** The first shown line that the output does not have, in order; null when it has them all. */
export function missingFrom(output: string, shown: readonly string[]): string | null {
  const lines = output.split("\n").map((line) => line.trimEnd());
  let at = 0;
  for (const wanted of shown) {
    if (wanted.trim() === "" || wanted.trim() === "…") continue;
    const found = lines.findIndex((line, index) => index >= at && matches(line, wanted.trimEnd()));
    if (found < 0) return wanted;
    at = found + 1;
  }
  return null;
}

function matches(line: string, wanted: string): boolean {
  const parts = wanted.split("…");
  if (!line.startsWith(parts[0]!)) return false;
  let at = parts[0]!.length;
  for (const part of parts.slice(1, -1)) {
    const found = line.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  const end = parts.at(-1)!;
  return parts.length === 1 ? line === wanted : line.length - end.length >= at && line.endsWith(end);
}
