// The body that each chat or notification service wants. Pure. Every service has marks of its own that ping people,
// make links or end a code block; log text must trigger none of them.
import { head } from "../../figures/render.ts";
import type { Message, WebhookShape } from "../../types.ts";

/** What to post where; the body is JSON. */
export type WebhookCall = { readonly url: string; readonly body: string };

// Slack cuts a message after 40,000 characters and Mattermost after 16,383; both stay readable far below that.
const MAX_CHAT = 12_000;

// ntfy turns a message of more than 4,096 bytes into an attached file.
const MAX_NTFY_BYTES = 4_000;

/** The version of the generic shape; a field is added without raising it, changed or removed only with. */
export const GENERIC_SHAPE_VERSION = 1;

/** The call that delivers a message in the shape of a service. */
export function webhookCall(message: Message, shape: WebhookShape, url: string): WebhookCall {
  switch (shape) {
    case "generic":
      return {
        url,
        body: JSON.stringify({
          v: GENERIC_SHAPE_VERSION,
          id: message.id,
          host: message.host,
          at: message.at,
          urgent: message.urgent === true,
          subject: message.subject,
          text: message.text,
        }),
      };
    case "slack":
      // In Slack `&`, `<` and `>` are the only marks that make links and pings (`<!channel>`).
      return {
        url,
        body: JSON.stringify({
          text: `*${amp(plain(message.subject))}*\n${fence(amp(shorten(message.text)))}`,
        }),
      };
    case "mattermost":
      // A code block pings nobody; the heading is one too, since a subject can hold `@all`.
      return {
        url,
        body: JSON.stringify({ text: `${code(message.subject)}\n${fence(shorten(message.text))}` }),
      };
    case "ntfy": {
      // As JSON to the server's root, so that no text ever stands in a header.
      const { root, topic } = ntfyTarget(url);
      return {
        url: root,
        body: JSON.stringify({
          topic,
          title: head(message.subject, 200),
          message: withinBytes(message.text, MAX_NTFY_BYTES),
          priority: message.urgent === true ? 4 : 3,
          tags: [message.urgent === true ? "rotating_light" : "scroll"],
        }),
      };
    }
  }
}

function ntfyTarget(url: string): { root: string; topic: string } {
  const target = new URL(url);
  const path = target.pathname.replace(/\/+$/, "");
  const slash = path.lastIndexOf("/");
  const topic = decodeURIComponent(path.slice(slash + 1));
  target.pathname = path.slice(0, slash + 1);
  return { root: target.href, topic };
}

function shorten(text: string): string {
  return text.length <= MAX_CHAT
    ? text
    : `${head(text, MAX_CHAT)}\n… (cut; the rest is in the mail or the store)`;
}

function withinBytes(text: string, max: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= max) return text;
  // `stream` drops the broken character at the cut instead of showing it as U+FFFD.
  return `${new TextDecoder().decode(bytes.subarray(0, max - 8), { stream: true })}…`;
}

// Three backticks would end the block; a zero-width mark between them could be lost, so they become quotes.
function fence(text: string): string {
  return `\`\`\`\n${text.replace(/`{3,}/g, (ticks) => "'".repeat(ticks.length)).trimEnd()}\n\`\`\``;
}

function code(text: string): string {
  return `\`${text.replace(/[`\n]/g, "'")}\``;
}

function plain(text: string): string {
  return text.replace(/[*_~`\n]/g, " ");
}

function amp(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
