// The digest on demand.
import { systemClock } from "../../core/clock.ts";
import { parseDurationMs } from "../../core/duration.ts";
import { formatFault } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import { attempt } from "../../report/deliver.ts";
import { digest } from "../../report/digest.ts";
import { composeReport } from "../../report/message.ts";
import { openReportFile } from "../../report/routes/file.ts";
import { openSpool } from "../../report/spool.ts";
import type { DeliveryResult, Route } from "../../report/types.ts";
import { openStore } from "../../store/store.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { openHistory } from "../history.ts";
import { markReported, routesOf, sinceLastReport, sinceTime, spoolDirectory } from "../reporting.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { becomeOwnerOf } from "../split/become.ts";

export async function run({ values }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  for (const fault of settings.faults) process.stderr.write(`${formatFault(fault)}\n`);
  const since = values["since"] as string | undefined;
  const spanMs = since === undefined ? null : parseDurationMs(since);
  if (since !== undefined && spanMs === null) {
    process.stderr.write(
      `telltale report: --since wants a duration, found "${showable(since)}"\n    mend: write 90m, 1h, 7d\n`,
    );
    return 64;
  }
  if (values["test"] === true) return await tryRoutes(settings);
  if (values["send"] === true) return await send(settings, spanMs);

  using store = openHistory(settings);
  if (store === null) {
    process.stdout.write("Nothing was recorded yet.\n");
    return 0;
  }
  const period =
    spanMs === null
      ? await sinceLastReport(settings, store, systemClock)
      : await sinceTime(settings, store, spanMs, systemClock);
  if (values["json"] === true) {
    process.stdout.write(`${JSON.stringify(digest(period.input))}\n`);
    return 0;
  }
  const message = composeReport(period.input);
  if (message === null)
    process.stdout.write(`Nothing to report since ${period.input.from.toLocaleString("sv-SE")}.\n`);
  else if (values["html"] === true) process.stdout.write(message.html ?? "");
  else process.stdout.write(`Subject: ${message.subject}\n\n${message.text}`);
  return 0;
}

// A file that only root may write is opened while we still are root.
async function openedNow(route: Route): Promise<Route> {
  if (route.via !== "file") return route;
  const fd = openReportFile(route.path);
  await fd.catch(() => {}); // Whoever writes to it tells of it.
  return { ...route, open: () => fd };
}

function noWay(): number {
  process.stderr.write(
    "telltale report: there is no way for a report to leave this host\n    mend: apt install a mailer (msmtp-mta, postfix), or set report.via\n",
  );
  return 69;
}

/** Sends a message that says it is a test by every route, at once and once: nothing of it is kept, spooled or counted. */
async function tryRoutes(settings: Settings): Promise<number> {
  const routes = routesOf(settings);
  if (routes.length === 0) return noWay();
  const { host, mode } = settings;
  const now = systemClock.now();
  const preface = "This is a test of the way that reports take. Nothing has happened.";
  const input = { host, mode, from: now, to: now, events: [], blocksInForce: [], preface };
  const message = {
    ...composeReport(input, { evenIfQuiet: true })!,
    subject: `${host} test of telltale's reports`,
  };
  const results = await Promise.all(routes.map((route) => attempt(message, route)));
  return toldOf(results, message.subject, "");
}

/** Prints what became of each delivery; the exit status. */
function toldOf(results: readonly DeliveryResult[], subject: string, consequence: string): number {
  let failed = false;
  for (const result of results) {
    if (result.delivered) process.stderr.write(`sent by ${result.route}: ${showable(subject)}\n`);
    else {
      failed = true;
      process.stderr.write(
        `telltale report: ${result.route}: ${showable(result.why)}${consequence}\n    mend: ${showable(result.mend)}\n`,
      );
    }
  }
  return failed ? 1 : 0;
}

async function send(settings: Settings, spanMs: number | null): Promise<number> {
  const routes = routesOf(settings);
  if (routes.length === 0) return noWay();
  using store = openStore(settings.storeFile);
  const bus = new Bus(settings.host, systemClock);
  bus.attach(store);
  const period =
    spanMs === null
      ? await sinceLastReport(settings, store, systemClock)
      : await sinceTime(settings, store, spanMs, systemClock);
  const message = composeReport(period.input);
  if (message === null) {
    process.stdout.write("Nothing to report, nothing sent.\n");
    return 0;
  }
  const ways = await Promise.all(routes.map(openedNow));
  becomeOwnerOf(settings.storeFile);
  using spool = openSpool({ dir: spoolDirectory(settings), routes: () => ways, emit: bus.emit });
  const results = await spool.send(message);
  if (spanMs === null) markReported(store, period.lastSeq, period.input.to);
  bus.close();
  return toldOf(results, message.subject, "; it waits in the spool");
}
