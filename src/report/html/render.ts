// The report for mail programs that show HTML, light or dark as the reader's screen is. It loads nothing from
// anywhere, runs nothing, and every text goes through `escaped`.
import { CHART_SIZE } from "../chart/render.ts";
import { grouped, period } from "../figures/render.ts";
import { leftOutText, summary } from "../text/render.ts";
import type { Digest, Entry, Section } from "../types.ts";

/** The content id under which the chart is attached. */
export const CHART_CID = "chart@telltale";

// Colours with a contrast of at least 4.5 to 1 on both grounds (WCAG 2.2, success criterion 1.4.3).
const STYLE = `
:root { color-scheme: light dark; }
body { margin: 0; padding: 16px; background: #ffffff; color: #1c2024; font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 18px; margin: 0 0 4px; }
h2 { font-size: 15px; margin: 20px 0 6px; padding: 4px 8px; border-left: 4px solid #7a828a; background: #f1f3f5; }
h2.attacks { border-color: #c0262d; } h2.violations { border-color: #b35900; } h2.blind { border-color: #6f42c1; }
p { margin: 4px 0; }
pre { margin: 6px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.4 ui-monospace, monospace; }
.note { color: #59626b; margin: 0 0 0 16px; font-size: 13px; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) {
body { background: #15181b; color: #e3e6e9; } h2 { background: #22272c; }
.note { color: #a3acb5; }
h2.attacks { border-color: #ff6b70; } h2.violations { border-color: #f0a04b; } h2.blind { border-color: #b392f0; }
}`;

/**
 * The whole report as one HTML document.
 * @param options.chart true when an image with the content id CHART_CID travels with it
 */
export function renderHtml(digest: Digest, options: { chart?: boolean } = {}): string {
  const title = `telltale on ${digest.host}`;
  const chart = options.chart === true ? chartHtml(digest) : "";
  const preface = digest.preface === "" ? "" : `<p>${escaped(digest.preface)}</p>\n`;
  const body =
    digest.sections.length === 0 ? "<p>Nothing to report.</p>\n" : digest.sections.map(sectionHtml).join("");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src cid:; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}
</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${escaped(period(digest.from, digest.to))}</p>
<p>${escaped(summary(digest))}</p>
${preface}${chart}${body}</body>
</html>
`;
}

/** Text as it may stand between tags and inside quoted attributes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"'`]/g, (char) => `&#${char.charCodeAt(0)};`);
}

function chartHtml({ series }: Digest): string {
  const probes = grouped(series.reduce((sum, slice) => sum + slice.probes, 0));
  const blocks = grouped(series.reduce((sum, slice) => sum + slice.blocks, 0));
  const size = `width="${CHART_SIZE.width}" height="${CHART_SIZE.height}"`;
  const said = `Probes above the line (${probes} in all), blocks below it (${blocks}); heights are logarithmic`;
  return `<p><img src="cid:${CHART_CID}" ${size} alt="${said}"></p>\n<p class="note">${said}.</p>\n`;
}

function sectionHtml(section: Section): string {
  const rest = leftOutText(section);
  const more = rest === "" ? "" : `<p class="note">${escaped(rest)}</p>\n`;
  return `<h2 class="${section.key}">${escaped(section.title)}</h2>\n${section.entries.map(entryHtml).join("")}${more}`;
}

function entryHtml(entry: Entry): string {
  const lines = `<pre>${entry.lines.map(escaped).join("\n")}</pre>\n`;
  return lines + entry.notes.map((note) => `<p class="note">${escaped(note)}</p>\n`).join("");
}
