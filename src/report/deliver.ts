// Sends one message by every configured route at once; a route that hangs or fails holds up no other. What became
// of each is an event, because a report that silently did not arrive is worse than none.

import { describeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import { showable } from "../core/hostile.ts";
import { appendToFile } from "./routes/file.ts";
import { DeliveryError } from "./routes/refusal.ts";
import { sendBySendmail } from "./routes/sendmail.ts";
import { sendBySmtp } from "./routes/smtp.ts";
import { sendByWebhook, webhookPlace } from "./routes/webhook.ts";
import type { DeliveryResult, Message, Route } from "./types.ts";

/**
 * Delivers a message by all routes and emits `report.delivered` or `report.failed` for each. Never throws: what
 * failed stands in the results, in the order of the routes.
 */
export function deliver(message: Message, routes: readonly Route[], emit: Emit): Promise<DeliveryResult[]> {
  return Promise.all(
    routes.map(async (route) => {
      const result = await attempt(message, route);
      if (result.delivered) emit({ type: "report.delivered", route: result.route, subject: message.subject });
      else emit({ type: "report.failed", route: result.route, why: result.why, mend: result.mend });
      return result;
    }),
  );
}

/** Delivers by one route, without an event. */
export async function attempt(message: Message, route: Route): Promise<DeliveryResult> {
  const name = routeName(route);
  try {
    await send(message, route);
    return { route: name, delivered: true };
  } catch (error) {
    const known = error instanceof DeliveryError;
    return {
      route: name,
      delivered: false,
      why: showable(describeError(error)),
      mend: known ? error.mend : "",
      worthRetrying: known ? error.worthRetrying : true,
    };
  }
}

/** What a route is called in events and in the spool; holds no password and no secret address. */
export function routeName(route: Route): string {
  switch (route.via) {
    case "sendmail":
      return `sendmail to ${showable(route.to)}`;
    case "smtp":
      return `smtp ${showable(route.host)}:${route.port} to ${showable(route.to)}`;
    case "webhook":
      return `webhook ${route.name === undefined ? "" : `${showable(route.name)} at `}${webhookPlace(route.url)} (${route.shape})`;
    case "file":
      return `file ${showable(route.path)}`;
    case "stdout":
      return "stdout";
  }
}

function send(message: Message, route: Route): Promise<void> {
  switch (route.via) {
    case "sendmail":
      return sendBySendmail(message, route);
    case "smtp":
      return sendBySmtp(message, route);
    case "webhook":
      return sendByWebhook(message, route);
    case "file":
      return appendToFile(message, route);
    case "stdout":
      return print(message);
  }
}

function print(message: Message): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`Subject: ${showable(message.subject)}\n\n${message.text}`, (error) => {
      if (error) reject(new DeliveryError(`stdout: ${error.message}`, "", false, error));
      else resolve();
    });
  });
}
