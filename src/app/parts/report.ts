// The digest on its schedule, and the reports that wait for a mailer to come back.

import { formatDuration } from "../../core/duration.ts";
import { describeError } from "../../core/errors.ts";
import { composeReport } from "../../report/message.ts";
import { openSpool } from "../../report/spool.ts";
import type { Route } from "../../report/types.ts";
import type { PartContext, PartDefinition } from "../part.ts";
import { markReported, routesOf, sinceLastReport, spoolDirectory } from "../reporting.ts";
import { repeat } from "../schedule.ts";

export const reportPart: PartDefinition = {
  name: "report",
  stillRuns: "everything is kept in the store, for telltale report",
  async start({ settings, store, bus, clock }: PartContext) {
    const { report } = settings.config;
    if (report.via === "none") return { off: 'report.via = "none"; read reports with telltale report' };
    const routes = routesOf(settings);
    if (routes.length === 0) {
      return { off: `no ${report.sendmail} here; read reports with telltale report, or set report.via` };
    }
    const spool = openSpool({ dir: spoolDirectory(settings), routes: () => routes, emit: bus.emit, clock });
    spool.start();
    const send = async (): Promise<void> => {
      try {
        if (!bus.flush()) return; // the store refuses: what it does not hold cannot be reported yet
        const { input, lastSeq } = await sinceLastReport(settings, store, clock);
        const message = composeReport(input);
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
    const schedule = repeat(report.every, clock, send);
    return {
      describe: () => {
        const { reports } = spool.waiting();
        const waiting = reports === 0 ? "" : `; ${reports} waiting for delivery`;
        const next = schedule.nextAt().toTimeString().slice(0, 8);
        return [
          `${routes.map(inWords).join(", ")}, every ${formatDuration(report.every)} if there is news; next ${next}${waiting}`,
        ];
      },
      stop: async () => {
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
      return `webhook ${new URL(route.url).host}`;
    case "file":
      return `file ${route.path}`;
    case "stdout":
      return "standard output";
  }
}
