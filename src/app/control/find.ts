// Which guard a command means when nobody names one.
import { existsSync } from "node:fs";
import { CONTROL_SOCKET, type Settings } from "../settings.ts";

/**
 * The socket to ask. Somebody who is not root has a state directory of their own and seldom a guard in it; then the host's
 * guard is meant, which may let them ask.
 */
export function guardSocket(
  { config, controlSocket }: Pick<Settings, "config" | "controlSocket">,
  exists: (path: string) => boolean = existsSync,
): string {
  const named = config.guard.control_socket !== "" || config.store.directory !== "";
  return named || exists(controlSocket) ? controlSocket : CONTROL_SOCKET;
}
