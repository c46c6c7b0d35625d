// The digest on its schedule, and the reports that wait for a mailer to come back.

import { describeError } from "../../core/errors.ts";
import { describeSchedule } from "../../core/schedule.ts";
import { Alerts } from "../../report/alert.ts";
import { composeReport } from "../../report/message.ts";
import { renderMetrics } from "../../report/metrics/render.ts";
import type { MetricsServer } from "../../report/metrics/serve.ts";
import { type Gauges, Metrics } from "../../report/metrics.ts";
import { openSpool } from "../../report/spool.ts";
import type { Route } from "../../report/types.ts";
import { diskGauges } from "../disk-gauges.ts";
import type { PartContext, PartDefinition } from "../part.ts";
import { markReported, sinceLastReport, spoolDirectory } from "../reporting.ts";
import { repeat, runsOf } from "../schedule.ts";
import { shortTime } from "../terminal.ts";

export const reportPart: PartDefinition = {
  name: "report",
  stillRuns: "everything is kept in the store, for telltale report",
  async start({ settings, store, bus, clock, powers }: PartContext) {
    const { report } = settings.config;
    const routes = powers.routes(settings);
    if (routes.length === 0 && report.via === "none") {
      return { off: 'report.via = "none"; read reports with telltale report' };
    }
    if (routes.length === 0) {
      return { off: `no ${report.sendmail} here; read reports with telltale report, or set report.via` };
    }
    const spool = openSpool({ dir: spoolDirectory(settings), routes: () => routes, emit: bus.emit, clock });
    spool.start();
    const alerts = new Alerts({
      host: settings.host,
      mode: () => settings.mode,
      send: (message) => spool.send(message),
      clock,
      pid: process.pid,
    });
    const unsubscribe = report.alerts ? bus.subscribe((event) => alerts.observe(event)) : () => {};
    const disks = diskGauges(store, clock);
    const metrics = await openMetrics(report.metrics_port, async () => ({
      blocksInForce: store.blocks.countInForce(clock.now()),
      reportsWaiting: spool.waiting().reports,
      disks: await disks(),
    }));
    const unsubscribeMetrics = bus.subscribe((event) => metrics?.metrics.observe(event));
    const send = async (): Promise<void> => {
      try {
        if (!bus.flush()) return; // the store refuses: what it does not hold cannot be reported yet
        const { input, lastSeq } = await sinceLastReport(settings, store, clock, () => powers.held(settings));
        const evenIfQuiet =
          report.heartbeat > 0 && input.to.getTime() - input.from.getTime() >= report.heartbeat;
        const message = composeReport(input, { evenIfQuiet });
        // Delivered, or in the spool: from there it goes out by itself, so it is not composed again.
        if (message === null) return;
        await spool.send(message);
        markReported(store, lastSeq, input.to);
      } catch (error) {
        bus.emit({
          type: "report.failed",
          route: "digest",
          why: describeError(error),
          mend: "see telltale doctor",
        });
      }
    };
    const schedule = repeat(report.every, clock, send, {
      memory: runsOf("report", store),
      jitterMs: settings.jitterMs,
    });
    return {
      describe: () => {
        const { reports } = spool.waiting();
        const waiting = reports === 0 ? "" : `; ${reports} waiting for delivery`;
        const next = shortTime(schedule.nextAt(), clock.now());
        return [
          `${routes.map(inWords).join(", ")}, ${describeSchedule(report.every)} if there is news${report.alerts ? ", attacks at once" : ""}; next ${next}${waiting}`,
        ];
      },
      outlook: () => ({
        next: [{ what: "report", at: schedule.nextAt() }],
        reportsWaiting: spool.waiting().reports,
      }),
      stop: async () => {
        unsubscribe();
        unsubscribeMetrics();
        alerts.close();
        await metrics?.server.close();
        await schedule.stop();
        spool.close();
      },
    };
  },
};

function inWords(route: Route): string {
  switch (route.via) {
    case "sendmail":
      return `mail to ${route.to} by ${route.command ?? "sendmail"}`;
    case "smtp":
      return `mail to ${route.to} by ${route.host}:${route.port}`;
    case "webhook":
      return `webhook ${route.name === undefined ? "" : `${route.name} at `}${new URL(route.url).host}`;
    case "file":
      return `file ${route.path}`;
    case "stdout":
      return "standard output";
  }
}

async function openMetrics(
  port: number,
  gauges: () => Promise<Gauges>,
): Promise<{ metrics: Metrics; server: MetricsServer } | null> {
  if (port === 0) return null;
  const metrics = new Metrics();
  const { serveMetrics } = await import("../../report/metrics/serve.ts");
  return {
    metrics,
    server: await serveMetrics(port, async () => renderMetrics(metrics.read(await gauges()))),
  };
}
