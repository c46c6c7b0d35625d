// Everything a digest had to fold, shorten or leave out, event by event, for the file that is attached to it.
import type { Event } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { counted, head } from "../figures/render.ts";
import type { DigestInput } from "../types.ts";

// The longest line written out; a log line of megabytes is an attack on the reader, and its start shows whose.
const MAX_LINE = 8_000;

/**
 * The events of a period in the order they came, one a line: time, type, text. Lines of logs come as they were, but
 * for unsafe characters, which are written out.
 * @param maxChars where to stop, with a word on how many events are missing
 */
export function fullText(input: DigestInput, maxChars: number): string {
  const lines = [
    `telltale on ${showable(input.host)}: ${counted(input.events.length, "event")} from ${input.from.toISOString()} to ${input.to.toISOString()}`,
    "",
  ];
  let length = lines[0]!.length + 2;
  for (const [index, event] of input.events.entries()) {
    const line = eventText(event);
    length += line.length + 1;
    if (length > maxChars) {
      lines.push(
        `(${counted(input.events.length - index, "more event")} not attached; telltale's store has them)`,
      );
      break;
    }
    lines.push(line);
  }
  return `${lines.join("\n")}\n`;
}

function eventText(event: Event): string {
  const { v: _version, id: _id, host: _host, at, type, ...rest } = event;
  const text =
    event.type === "line.found" ? `${event.layer} ${event.source}: ${event.line}` : JSON.stringify(rest);
  const line = `${at} ${type} ${text.length > MAX_LINE * 2 ? text.slice(0, MAX_LINE * 2) : text}`;
  const shown = showable(line);
  return shown.length <= MAX_LINE ? shown : `${head(shown, MAX_LINE)}… (${text.length} characters in all)`;
}
