// Everything that leaves for one period, made from one digest: subject, text, HTML, the chart, and the full text
// when the digest had to shorten it.
import { gzipSync } from "node:zlib";
import { newId } from "../core/id.ts";
import { encodePng } from "./chart/png.ts";
import { drawChart } from "./chart/render.ts";
import { digest, empty } from "./digest.ts";
import { clockStamp } from "./figures/render.ts";
import { fullText } from "./full/render.ts";
import { CHART_CID, renderHtml } from "./html/render.ts";
import { renderText, subject } from "./render.ts";
import type { Attachment, Digest, DigestInput, Message } from "./types.ts";

// As wide as a mail program or a terminal of the old kind shows without wrapping by itself.
const TEXT_WIDTH = 78;

// Compressing this much takes a quarter of a second; log text shrinks to a tenth of it.
const MAX_FULL_CHARS = 8_000_000;

// Mailers refuse mails over 10 MB as a rule, and base64 adds a third.
const MAX_ATTACHED_BYTES = 3_000_000;

export type ComposeOptions = {
  /** Makes a message of a quiet period too: a sign of life, once a week or so. */
  readonly evenIfQuiet?: boolean;
};

/** The message for a period, or null when there is nothing to say. */
export function composeReport(input: DigestInput, options: ComposeOptions = {}): Message | null {
  const made = digest(input);
  if (empty(made) && options.evenIfQuiet !== true) return null;
  const attachments: Attachment[] = [];
  const chart = chartOf(made);
  if (chart !== null) attachments.push(chart);
  if (made.abridged) attachments.push(fullReport(input));
  return {
    id: newId(input.to),
    host: made.host,
    at: made.to,
    subject: subject(made),
    text: renderText(made, { width: TEXT_WIDTH }),
    html: renderHtml(made, { chart: chart !== null }),
    attachments,
    urgent: made.sections.some((section) => section.key === "attacks"),
  };
}

function chartOf(made: Digest): Attachment | null {
  if (!made.series.some((slice) => slice.probes > 0 || slice.blocks > 0)) return null;
  const [from, to] = [Date.parse(made.from), Date.parse(made.to)];
  const label = (ms: number) => clockStamp(new Date(ms)).slice(0, 5);
  const picture = drawChart(made.series, [label(from), label((from + to) / 2), label(to)]);
  return { name: "chart.png", type: "image/png", content: encodePng(picture), cid: CHART_CID };
}

function fullReport(input: DigestInput): Attachment {
  let content = gzipSync(fullText(input, MAX_FULL_CHARS));
  if (content.length > MAX_ATTACHED_BYTES) {
    // Text that hardly shrinks was made not to; half of what would fit leaves room for its worst part.
    const fits = (MAX_FULL_CHARS * MAX_ATTACHED_BYTES) / content.length / 2;
    content = gzipSync(fullText(input, fits));
  }
  const day = input.to.toISOString().slice(0, 16).replace(/[:T]/g, "-");
  const host = input.host.replace(/[^\w.-]/g, "_").slice(0, 64);
  return { name: `telltale-${host}-${day}.txt.gz`, type: "application/gzip", content };
}
