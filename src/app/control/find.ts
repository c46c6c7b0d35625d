// Which guard a command means when nobody names one.
import { existsSync } from "node:fs";
import { CONTROL_SOCKET, type Places } from "../places.ts";

/**
 * The socket to ask. Somebody who is not root has a state directory of their own and seldom a guard in it; then the host's
 * guard is meant, which may let them ask.
 */
export function guardSocket(
  { controlSocket, isNamed }: Pick<Places, "controlSocket" | "isNamed">,
  exists: (path: string) => boolean = existsSync,
): string {
  return isNamed || exists(controlSocket) ? controlSocket : CONTROL_SOCKET;
}
