// What the running guard is doing: one look, or again and again.
import { MissingPartError } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import type { CommandCall } from "../catalogue.ts";
import { askMetrics, askStatus } from "../control/client.ts";
import { guardSocket } from "../control/find.ts";
import { gatherPlaces } from "../places.ts";
import { wantsColour } from "../terminal.ts";

const WATCH_MS = 1_000;
// ECMA-48: cursor to the top left, then erase what is below.
const HOME = "\u001b[H\u001b[J";

export async function run({ values }: CommandCall): Promise<number> {
  const controlSocket = guardSocket(gatherPlaces(values["config"] as string | undefined));
  const out = process.stdout;
  if (values["metrics"] === true) {
    out.write(await askMetrics(controlSocket));
    return 0;
  }
  const show = async (): Promise<void> => {
    // Loaded while the guard looks after its parts.
    const [status, { statusText }] = await Promise.all([
      askStatus(controlSocket),
      import("./status-text.ts"),
    ]);
    if (values["json"] === true) out.write(`${JSON.stringify(status)}\n`);
    else
      out.write(
        `${values["watch"] === true && out.isTTY ? HOME : ""}${statusText(status, new Date(), wantsColour(out))}`,
      );
  };
  await show();
  while (values["watch"] === true) {
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    try {
      await show();
    } catch (error) {
      // It may be restarted just now; who watches wants to see that, and when it is back.
      if (!(error instanceof MissingPartError)) throw error;
      process.stderr.write(`${showable(error.message)}\n`);
    }
  }
  return 0;
}
