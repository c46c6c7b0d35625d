// The first logtail, under its own name: scripts that never needed rotation still call it.
import { runLogtail } from "./logtail2.ts";

/** The face's door. */
export async function main(argv: readonly string[]): Promise<number> {
  return runLogtail("logtail", argv);
}
