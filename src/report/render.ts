// A digest becomes words: its subject here, its text and its HTML beside it. Pure, so that a snapshot can hold all
// three, and a preview shows what would be sent.
import { subjectStamp } from "./figures/render.ts";
import { figuresOf } from "./text/render.ts";
import type { Digest } from "./types.ts";

export { renderHtml } from "./html/render.ts";
export { renderText } from "./text/render.ts";

// Mail programs show about 70 characters of a subject; the rest must not push the host and the section away.
const MAX_SUBJECT = 160;

/**
 * `HOST 2026-11-22 19:51 Active System Attack Alerts: scans from 2 sources, 1 host blocked`: as in logcheck, the
 * most serious section names the mail. One line without control characters, so it is safe as a header.
 */
export function subject(digest: Digest): string {
  const host = digest.host.replace(/\s+/g, " ").slice(0, 64);
  const title = digest.sections.find((section) => section.key !== "blocks")?.title ?? "all quiet";
  const figures = figuresOf(digest.totals).slice(0, 3).join(", ");
  const text = `${host} ${subjectStamp(digest.to)} ${title}${figures === "" ? "" : `: ${figures}`}`;
  return text.slice(0, MAX_SUBJECT);
}
