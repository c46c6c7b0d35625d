// The daemon in the foreground: status block, one line an event, signals.
import { systemClock } from "../../core/clock.ts";
import type { Event } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { eventLine } from "../../report/eventline.ts";
import type { CommandCall } from "../catalogue.ts";
import { Guard } from "../lifecycle.ts";
import { ownPowers } from "../powers.ts";
import { gatherSettings } from "../settings.ts";
import { statusBlock } from "../status.ts";
import { wantsColour, widthOf } from "../terminal.ts";

/** Runs until a signal ends it. */
export async function run({ values, operands }: CommandCall): Promise<number> {
  if (operands.length > 0) {
    process.stderr.write(
      `telltale guard: takes no operands, found "${showable(operands[0]!)}"\n    mend: see telltale guard --help\n`,
    );
    return 64;
  }
  const configFile = values["config"] as string | undefined;
  const block = values["block"] === true;
  const json = values["json"] === true;
  const out = process.stdout;
  const settings = gatherSettings(configFile, block);
  const guard = new Guard(settings, systemClock, ownPowers());

  const show = (event: Event): void => {
    if (!json && isEcho(event)) return;
    if (json) out.write(`${JSON.stringify(event)}\n`);
    else
      out.write(`${eventLine(event, { colour: wantsColour(out), width: out.isTTY ? widthOf(out) : 0 })}\n`);
  };
  // Until the status block stands, events wait: a reader sees first what watches, then what happened.
  const early: Event[] = [];
  let ready = json;
  guard.bus.subscribe((event) => (ready ? show(event) : early.push(event)));

  const ended = new Promise<string>((resolve) => {
    process.on("SIGTERM", () => resolve("SIGTERM"));
    process.on("SIGINT", () => resolve("SIGINT"));
  });
  process.on("SIGHUP", () => void guard.reload(gatherSettings(configFile, block)));
  const uncaught = (error: unknown): void => {
    process.stderr.write(`telltale guard: ${error instanceof Error ? error.stack : String(error)}\n`);
    if (!guard.survive(error))
      void guard.stop("an error that no part is to blame for").then(() => process.exit(70));
  };
  process.on("uncaughtException", uncaught);
  process.on("unhandledRejection", uncaught);

  await guard.start();
  if (!json) {
    out.write(statusBlock(settings, guard.status(), wantsColour(out)));
    ready = true;
    for (const event of early) if (event.type !== "guard.started") show(event);
  }
  await guard.stop(await ended);
  // Threads of the packet ring or of a foreign call may still wait for their timeout.
  process.exit(0);
}

// A scanner that goes on is judged again and found to be blocked already: true, kept in the store, and no news.
function isEcho(event: Event): boolean {
  return (
    event.type === "verdict.reached" &&
    event.verdict.action === "ignore" &&
    event.verdict.guardrail === undefined
  );
}
