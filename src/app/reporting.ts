// From the history to a report on its way: which events are new, which routes there are. Shared by the guard and
// `telltale report`.
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import type { WebhookGroup } from "../config/types.ts";
import type { Clock } from "../core/clock.ts";
import type { Event, Mode } from "../core/events.ts";
import type { DigestInput, Route } from "../report/types.ts";
import type { HeldBlock } from "../respond/plan.ts";
import type { Store } from "../store/store.ts";
import { disksForReport, growingLogs, samplesOf } from "./disk-samples.ts";
import { heldHere, withPacketCounts } from "./firewall.ts";
import type { Settings } from "./settings.ts";

const PAGE = 10_000;
// What one report reads at the most; a day under attack stays below, and memory with it.
const MAX_EVENTS = 200_000;
// Logs that a report names for their growth.
const GROWING_LOGS = 10;
const MARK_SEQ = "reported.seq";
const MARK_AT = "reported.at";
const MARK_MODE = "guard.mode";

/** The events of one report and where they end. */
export type Period = { readonly input: DigestInput; readonly lastSeq: number };

/** Everything since the last report that was delivered or spooled. */
export async function sinceLastReport(
  settings: Settings,
  store: Store,
  clock: Clock,
  held: () => Promise<readonly HeldBlock[]> = () => heldHere(settings),
): Promise<Period> {
  const seq = Number(store.marks.get(MARK_SEQ) ?? 0);
  const { events, lastSeq } = read(store, seq);
  const from = store.marks.get(MARK_AT) ?? events[0]?.at ?? clock.now().toISOString();
  return { input: await inputOf(settings, store, events, new Date(from), clock.now(), held), lastSeq };
}

/** Everything of the last `spanMs` milliseconds, reported or not. */
export async function sinceTime(
  settings: Settings,
  store: Store,
  spanMs: number,
  clock: Clock,
): Promise<Period> {
  const now = clock.now();
  const from = new Date(now.getTime() - spanMs);
  const edge = from.toISOString();
  const { events, lastSeq } = read(store, 0, (event) => event.at >= edge);
  return { input: await inputOf(settings, store, events, from, now, () => heldHere(settings)), lastSeq };
}

/** Remembers how the guard runs, for reports made beside it. */
export function markMode(store: Store, mode: Mode): void {
  store.marks.set(MARK_MODE, mode);
}

/** Remembers that everything up to here is reported. */
export function markReported(store: Store, lastSeq: number, at: Date): void {
  store.transaction(() => {
    store.marks.set(MARK_SEQ, String(lastSeq));
    store.marks.set(MARK_AT, at.toISOString());
  });
}

/** Where reports go; empty when there is no way for them to leave this host. */
export function routesOf(settings: Settings): Route[] {
  const { via, file } = settings.config.report;
  return [
    ...mailRoutes(settings),
    ...(file !== "" && via !== "file" ? [{ via: "file", path: file } as const] : []),
    ...hooksOf(settings).map(({ name, url, shape, tokenFile }): Route => {
      const token = tokenFile === "" ? "" : firstLineOf(tokenFile);
      return {
        via: "webhook",
        ...(name !== "" && { name }),
        url,
        shape,
        ...(token !== "" && { token }),
      };
    }),
  ];
}

// The one under [report] has no name; the others have one each.
function hooksOf({ config: { report, webhook } }: Settings): readonly WebhookGroup[] {
  const { webhook: url, webhook_shape: shape, webhook_token_file: tokenFile } = report;
  return url === "" ? webhook : [{ name: "", url, shape, tokenFile }, ...webhook];
}

function mailRoutes({ config, host }: Settings): Route[] {
  const { via, to, sendmail, smtp_host, smtp_port, file } = config.report;
  // An empty sender becomes telltale@HOST in the header and leaves the bounce address to the mailer.
  const from = config.report.from;
  const sealed = config.report.encrypt_to === "" ? {} : { encryptTo: config.report.encrypt_to };
  switch (via) {
    case "auto":
      return isProgram(sendmail) ? [{ via: "sendmail", to, from, command: sendmail, ...sealed }] : [];
    case "sendmail":
      return [{ via: "sendmail", to, from, command: sendmail, ...sealed }];
    case "smtp": {
      const auth = loginOf(config.report.smtp_user, config.report.smtp_password_file);
      const secure = smtp_port === 465;
      return [
        {
          via: "smtp",
          host: smtp_host,
          port: smtp_port,
          secure,
          to: qualified(to, host),
          from,
          ...(auth && { auth }),
          ...sealed,
        },
      ];
    }
    case "file":
      return [{ via: "file", path: file || "/var/log/telltale-report.txt" }];
    case "stdout":
      return [{ via: "stdout" }];
    case "none":
      return [];
  }
}

/** The password of the SMTP server; "" where there is none, or it cannot be read. */
export function smtpPasswordOf({ config }: Settings): string {
  return loginOf(config.report.smtp_user, config.report.smtp_password_file)?.pass ?? "";
}

/** What the webhooks want to be shown, by their names; the one under [report] is "". */
export function webhookTokensOf(settings: Settings): Readonly<Record<string, string>> {
  const withToken = hooksOf(settings).filter(({ tokenFile }) => tokenFile !== "");
  return Object.fromEntries(withToken.map(({ name, tokenFile }) => [name, firstLineOf(tokenFile)]));
}

// Read at every start and reload; a password that cannot be read lets the server's refusal tell of it.
function loginOf(user: string, passwordFile: string): { user: string; pass: string } | null {
  return user === "" ? null : { user, pass: firstLineOf(passwordFile) };
}

function firstLineOf(file: string): string {
  try {
    return readFileSync(file, "utf8").split("\n")[0]!;
  } catch {
    return ""; // The server's refusal tells of it.
  }
}

// A local mailer knows who "root" is; an SMTP server wants a domain (RFC 5321 section 4.1.2).
function qualified(to: string, host: string): string {
  return to
    .split(",")
    .map((name) => (name.includes("@") ? name : `${name.trim()}@${host}`))
    .join(",");
}

/** The folder of reports that wait for their delivery. */
export function spoolDirectory(settings: Settings): string {
  return join(settings.storeDirectory, "spool");
}

function read(
  store: Store,
  after: number,
  wanted: (event: Event) => boolean = () => true,
): { events: Event[]; lastSeq: number } {
  const events: Event[] = [];
  let lastSeq = after;
  while (events.length < MAX_EVENTS) {
    const page = store.eventsSince(lastSeq, { limit: PAGE });
    if (page.length === 0) break;
    lastSeq = page.at(-1)!.seq;
    for (const { event } of page) if (wanted(event)) events.push(event);
  }
  return { events, lastSeq };
}

async function inputOf(
  settings: Settings,
  store: Store,
  events: readonly Event[],
  from: Date,
  to: Date,
  held: () => Promise<readonly HeldBlock[]>,
): Promise<DigestInput> {
  const blocksInForce = await withPacketCounts(store.blocks.inForce(to), held);
  const samples = samplesOf(store);
  // How the guard ran, which its command line may have decided; a command of its own only knows the files.
  const mode = (store.marks.get(MARK_MODE) as Mode | null) ?? settings.mode;
  return {
    host: settings.host,
    from,
    to,
    mode,
    events,
    blocksInForce,
    disks: disksForReport(samples),
    growing: growingLogs(samples, GROWING_LOGS),
    pid: process.pid,
  };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // no mailer here
  }
}
