// Hands a mail to an SMTP server (RFC 5321), with TLS from the start (RFC 8314) or by STARTTLS (RFC 3207). A password
// never crosses a network in the clear, whatever the server offers.
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { NodemailerError } from "nodemailer";
import { describeError } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import type { Message, Route } from "../types.ts";
import { isLoopback } from "./loopback.ts";
import { buildMail, mailboxes, senderOf } from "./mime.ts";
import { DeliveryError } from "./refusal.ts";

// Far below RFC 5321 section 4.5.3.2: a report that waits in the spool is better than one that holds a connection.
export const SMTP_TIMEOUT_MS = 30_000;

type Smtp = Extract<Route, { via: "smtp" }>;

/**
 * Sends one message by SMTP.
 * @throws DeliveryError when the server cannot be reached, is not who it says it is, or refuses
 */
export async function sendBySmtp(message: Message, route: Smtp): Promise<void> {
  const to = mailboxes(route.to, "report.to");
  const from =
    route.from === ""
      ? (senderOf(message.host) ?? "telltale@localhost")
      : mailboxes(route.from, "report.from")[0]!;
  const mail = await buildMail(message, { from, to }, "\r\n", route.encryptTo);
  const timeoutMs = route.timeoutMs ?? SMTP_TIMEOUT_MS;
  const local = isLoopback(route.host);
  const { default: nodemailer } = await import("nodemailer");
  const transport = nodemailer.createTransport({
    host: await addressOf(route, timeoutMs),
    port: route.port,
    secure: route.secure ?? route.port === 465,
    requireTLS: route.auth !== undefined && !local,
    ...(route.auth === undefined ? {} : { auth: { user: route.auth.user, pass: route.auth.pass } }),
    ...(senderOf(message.host) === null ? {} : { name: message.host }),
    // A relay on this very host has a certificate that nobody signed, and nobody can stand between.
    tls: {
      rejectUnauthorized: !local,
      ...(isIP(route.host) === 0 && { servername: route.host }),
      ...(route.ca === undefined ? {} : { ca: route.ca }),
    },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // Each step has its own limit above; this one ends a server that answers every step just in time.
  const signal = AbortSignal.timeout(timeoutMs * 2);
  try {
    const sent = await transport.sendMail({ envelope: { from, to }, raw: mail, signal });
    const refused = sent.rejected ?? [];
    if (refused.length > 0) {
      throw new DeliveryError(
        `${route.host} took the report for some, but not for ${showable(refused.join(", "))}`,
        "mend or remove these addresses in report.to",
        false,
      );
    }
  } catch (error) {
    throw error instanceof DeliveryError ? error : refusalOf(error, route);
  } finally {
    transport.close();
  }
}

// By the host's own resolver, /etc/hosts included: nodemailer asks name servers first, and "localhost" must be found
// while none of them answers.
async function addressOf(route: Smtp, timeoutMs: number): Promise<string> {
  if (isIP(route.host) !== 0) return route.host;
  const tooLate = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs).unref();
  });
  try {
    return (await Promise.race([lookup(route.host), tooLate])).address;
  } catch (error) {
    throw new DeliveryError(
      `${route.host}:${route.port}: name not found: ${describeError(error)}`,
      "check the name of the server",
      true,
      error,
    );
  }
}

function refusalOf(error: unknown, route: Smtp): DeliveryError {
  const server = `${route.host}:${route.port}`;
  if (!(error instanceof Error)) return new DeliveryError(describeError(error), "", true, error);
  const { code = "", responseCode, permanent, response } = error as NodemailerError;
  const said = showable((response ?? error.message).replace(/\s+/g, " ").slice(0, 300));
  switch (code) {
    case "EAUTH":
    case "ENOAUTH":
      return new DeliveryError(
        `${server} refused the login: ${said}`,
        "check user and password of the route",
        true,
        error,
      );
    case "ETLS":
      return new DeliveryError(
        `${server}: no safe TLS: ${said}`,
        "use a server that offers STARTTLS with a valid certificate, or name its authority",
        true,
        error,
      );
    case "EENVELOPE":
    case "EMESSAGE":
      return new DeliveryError(
        `${server} refused the report${responseCode === undefined ? "" : ` (${responseCode})`}: ${said}`,
        "check report.to and report.from, and whether this host may send through the server",
        permanent !== true,
        error,
      );
    default:
      return new DeliveryError(
        `${server}: ${code === "" ? "" : `${code}: `}${said}`,
        "check that the server runs and that this host can reach it",
        true,
        error,
      );
  }
}
