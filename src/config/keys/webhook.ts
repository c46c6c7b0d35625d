// Each `[webhook.NAME]` section may hold these: another place that gets every report, beside report.webhook.
import type { KeyDefinition } from "./kind.ts";
import { REPORT_KEYS } from "./report.ts";

const SHAPES = REPORT_KEYS.find(({ name }) => name === "report.webhook_shape")!.kind;

export const WEBHOOK_KEYS: readonly KeyDefinition[] = [
  {
    name: "webhook.NAME.url",
    kind: { is: "url" },
    fallback: "",
    summary: "address that gets each report, by HTTP POST",
    reason: "nothing leaves the host that was not asked for",
  },
  {
    name: "webhook.NAME.shape",
    kind: SHAPES,
    fallback: "generic",
    summary: "what the webhook understands; generic is JSON with subject and text",
    reason: "works with anything that can read JSON",
  },
  {
    name: "webhook.NAME.token_file",
    kind: { is: "text" },
    fallback: "",
    summary: "file whose first line is sent to the webhook as its bearer token (ntfy); empty: none",
    reason: "Slack and Mattermost have their secret in the address",
  },
];
