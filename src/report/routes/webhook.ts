// Posts a report to an HTTP endpoint. The address is a secret (Slack's holds the password), so it never stands in an
// event or an error; a redirect is not followed, since it would carry the report to a place nobody configured.
import type { Message, Route } from "../types.ts";
import { isLoopback } from "./loopback.ts";
import { codeOf, DeliveryError } from "./refusal.ts";
import { webhookCall } from "./webhook/render.ts";

export const WEBHOOK_TIMEOUT_MS = 15_000;

// Of an answer, as much as explains a refusal.
const MAX_ANSWER = 300;

type Webhook = Extract<Route, { via: "webhook" }>;

/**
 * Posts one message.
 * @throws DeliveryError when the endpoint cannot be reached or does not answer with a 2xx status
 */
export async function sendByWebhook(message: Message, route: Webhook): Promise<void> {
  const call = webhookCall(message, route.shape, checkedUrl(route));
  const place = webhookPlace(route.url);
  let response: Response;
  try {
    response = await fetch(call.url, {
      method: "POST",
      body: call.body,
      redirect: "manual",
      headers: {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "telltale",
        ...(route.token === undefined ? {} : { Authorization: `Bearer ${route.token}` }),
      },
      signal: AbortSignal.timeout(route.timeoutMs ?? WEBHOOK_TIMEOUT_MS),
    });
  } catch (error) {
    throw unreachable(error, place);
  }
  const answer = await beginningOf(response);
  if (response.status >= 200 && response.status < 300) return;
  const said = answer === "" ? "" : `: ${answer}`;
  const redirected = response.status >= 300 && response.status < 400;
  throw new DeliveryError(
    `${place} answered ${response.status}${said}`,
    redirected ? "write the address it redirects to" : "check the webhook's address and shape",
    // 408, 425 and 429 ask for another try; every other 4xx would be the same again (RFC 9110, RFC 6585).
    response.status >= 500 || [408, 425, 429].includes(response.status),
  );
}

/** Scheme and host of a webhook: enough to tell routes apart, and no secret. */
export function webhookPlace(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "(no address)";
}

function checkedUrl({ url, token }: Webhook): string {
  const { protocol = "", hostname = "" } = URL.canParse(url) ? new URL(url) : {};
  if (token !== undefined && protocol === "http:" && !isLoopback(hostname)) {
    throw new DeliveryError(
      `${webhookPlace(url)} would get its token in the clear`,
      "write its address with https, or leave the token out",
      false,
    );
  }
  if (/^https?:$/.test(protocol)) return url;
  throw new DeliveryError(
    "the webhook's address is not an http or https address",
    "write it in full, as https://host/path",
    false,
  );
}

function unreachable(error: unknown, place: string): DeliveryError {
  const cause = error instanceof Error ? error.cause : undefined;
  const late = error instanceof Error && error.name === "TimeoutError";
  const why = late
    ? "did not answer in time"
    : `cannot be reached: ${codeOf(cause) || codeOf(error) || "no connection"}`;
  return new DeliveryError(`${place} ${why}`, "check that this host can reach the service", true, error);
}

async function beginningOf(response: Response): Promise<string> {
  let text = "";
  const reader = response.body?.getReader();
  if (reader === undefined) return text;
  const decoder = new TextDecoder();
  try {
    while (text.length < MAX_ANSWER) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    await reader.cancel();
  } catch {
    // The status has already said what matters; the answer's text only explains it.
  }
  return text.slice(0, MAX_ANSWER).replace(/\s+/g, " ").trim();
}
