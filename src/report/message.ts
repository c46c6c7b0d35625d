// Everything that leaves for one period, made from one digest: subject, text, HTML and what is attached.
import { newId } from "../core/id.ts";
import { digest, empty } from "./digest.ts";
import { renderHtml, renderText, subject } from "./render.ts";
import type { DigestInput, Message } from "./types.ts";

// As wide as a mail program or a terminal of the old kind shows without wrapping by itself.
const TEXT_WIDTH = 78;

/** The message for a period, or null when there is nothing to say. */
export function composeReport(input: DigestInput): Message | null {
  const made = digest(input);
  if (empty(made)) return null;
  return {
    id: newId(input.to),
    host: made.host,
    at: made.to,
    subject: subject(made),
    text: renderText(made, { width: TEXT_WIDTH }),
    html: renderHtml(made),
    urgent: made.sections.some((section) => section.key === "attacks"),
  };
}
