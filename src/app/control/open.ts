// Makes a guard the only one of its state, and reachable. A guard that cannot be reached still guards, and says so.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describeError, MissingPartError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import { lockState, StateBusyError } from "../../rotate/lock.ts";
import type { Settings } from "../settings.ts";
import { type ControlServer, serveControl } from "./server.ts";
import type { Controlled } from "./types.ts";

/**
 * Claims the state directory for this process, until the claim is disposed of or the process ends, however it ends.
 * @returns null, having said why, when another guard has it
 */
export async function claimState({ storeDirectory }: Settings): Promise<Disposable | null> {
  const free: Disposable = { [Symbol.dispose]() {} };
  try {
    mkdirSync(storeDirectory, { recursive: true, mode: 0o700 });
    return await lockState(join(storeDirectory, "guard.lock"), "fail");
  } catch (error) {
    // Where nothing can be written, there is no state to share: the store says what is wrong with the place.
    if (!(error instanceof StateBusyError)) return free;
    process.stderr.write(
      `telltale guard: another guard runs with the state in ${storeDirectory}\n    mend: telltale status shows it, telltale stop ends it; a second one wants another store.directory\n`,
    );
    return null;
  }
}

/** Opens the control socket. Null when that cannot be done, which is told as an event. */
export async function openControl(
  { controlSocket: path, config }: Settings,
  guard: Controlled,
  emit: Emit,
): Promise<ControlServer | null> {
  const failed = (why: string, mend: string): void =>
    void emit({
      type: "part.failed",
      part: "control",
      why,
      mend,
      stillRuns: "everything; signals work: SIGHUP reads the configuration, SIGTERM stops",
    });
  try {
    const server = await serveControl({ path, group: config.guard.control_group, guard });
    if (server.notice !== "") failed(server.notice, "addgroup, or set guard.control_group");
    return server;
  } catch (error) {
    failed(describeError(error), error instanceof MissingPartError ? error.mend : "see telltale doctor");
    return null;
  }
}
