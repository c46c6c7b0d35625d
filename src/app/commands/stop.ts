// Stops the running guard and waits until it is down. Blocks stay in force.
import type { CommandCall } from "../catalogue.ts";
import { askStop } from "../control/client.ts";
import { guardSocket } from "../control/find.ts";
import { gatherPlaces } from "../places.ts";

export async function run({ values }: CommandCall): Promise<number> {
  const pid = await askStop(guardSocket(gatherPlaces(values["config"] as string | undefined)));
  process.stdout.write(`the guard (process ${pid}) has ended; blocks stay in force\n`);
  return 0;
}
