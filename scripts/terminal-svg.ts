// Draws what a terminal shows as SVG: a fixed grid, and of the escape sequences only those that telltale writes (bold,
// dim, red, yellow, green; ECMA-48 "select graphic rendition").
const CELL = { width: 7.8, height: 17 };
const MARGIN = 14;
const STYLES: Readonly<Record<string, string>> = {
  "1": 'font-weight="bold" fill="#ffffff"',
  "2": 'fill="#8b949e"',
  "31": 'fill="#ff7b72"',
  "32": 'fill="#7ee787"',
  "33": 'fill="#e3b341"',
};

/**
 * The picture of a terminal.
 * @param text what it shows, with its escape sequences
 * @param columns its width; longer lines are cut
 */
export function drawTerminal(text: string, columns: number): string {
  const lines = text.trimEnd().split("\n");
  const width = Math.round(columns * CELL.width + 2 * MARGIN);
  const height = lines.length * CELL.height + 2 * MARGIN;
  const rows = lines.map((line, index) => drawLine(line, columns, MARGIN + (index + 0.75) * CELL.height));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="telltale guard on a terminal">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13" fill="#e6edf3" xml:space="preserve">
${rows.filter((row) => row !== "").join("\n")}
</g>
</svg>
`;
}

function drawLine(line: string, columns: number, y: number): string {
  let column = 0;
  let style = "";
  const spans: string[] = [];
  for (const part of line.split(/(\u001b\[[\d;]*m)/)) {
    const code = /\[([\d;]*)m$/.exec(part)?.[1];
    if (part.startsWith("\u001b") && code !== undefined) {
      style = STYLES[code] ?? "";
      continue;
    }
    const shown = part.slice(0, Math.max(0, columns - column));
    // Each span is put at its column, so that a font of another width cannot break the alignment.
    if (shown.trim() !== "") {
      const lead = shown.length - shown.trimStart().length;
      const x = (MARGIN + (column + lead) * CELL.width).toFixed(1);
      const length = (shown.trim().length * CELL.width).toFixed(1);
      spans.push(
        `<text x="${x}" y="${y.toFixed(1)}" textLength="${length}" ${style}>${escaped(shown.trim())}</text>`,
      );
    }
    column += part.length;
  }
  return spans.join("");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
