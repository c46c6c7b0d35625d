// Lets everybody in and stops blocking, now, whatever else is broken.
import { systemClock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { CommandCall } from "../catalogue.ts";
import { isPanicked, panicFile, pullBrake, releaseBrake } from "../panic.ts";
import { gatherSettings } from "../settings.ts";
import { type LetIn, unblockEverybody } from "./unblock.ts";

export async function run({ values }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  const { storeDirectory } = settings;
  if (values["end"] === true) {
    const was = releaseBrake(storeDirectory);
    process.stdout.write(
      was ? "Blocking may go on; a running guard notices within a second.\n" : "There was no panic.\n",
    );
    return 0;
  }
  let status = 0;
  try {
    pullBrake(storeDirectory, systemClock.now());
  } catch (error) {
    status = 1;
    process.stderr.write(
      `telltale panic: ${panicFile(storeDirectory)} cannot be written: ${describeError(error)}\n    mend: stop the guard, or it will block again\n`,
    );
  }
  const isBraked = isPanicked(storeDirectory);
  let letIn: LetIn;
  try {
    letIn = await unblockEverybody(settings);
  } catch (error) {
    if (isBraked) process.stdout.write("Nobody new is blocked until: telltale panic --end\n");
    throw error;
  }
  // With the brake on, a history that could not be told blocks nobody.
  if (letIn === "the known" || (letIn === "untold" && !isBraked)) status = 1;
  if (isBraked)
    process.stdout.write(
      `Nobody ${letIn === "the known" ? "new " : ""}is blocked until: telltale panic --end\n`,
    );
  return status;
}
