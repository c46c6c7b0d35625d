// Follows the running guard's events over its control socket.
import { eventLine } from "../../report/eventline.ts";
import type { CommandCall } from "../catalogue.ts";
import { followEvents } from "../control/client.ts";
import { guardSocket } from "../control/find.ts";
import { gatherPlaces } from "../places.ts";
import { wantsColour, widthOf } from "../terminal.ts";

/** Runs until the guard ends. */
export async function run({ values }: CommandCall): Promise<number> {
  const socket = guardSocket(gatherPlaces(values["config"] as string | undefined));
  const out = process.stdout;
  const look = { colour: wantsColour(out), width: out.isTTY ? widthOf(out) : 0 };
  await followEvents(socket, (event) => {
    out.write(values["json"] === true ? `${JSON.stringify(event)}\n` : `${eventLine(event, look)}\n`);
  });
  return 0;
}
