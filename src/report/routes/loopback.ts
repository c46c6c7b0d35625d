// Tells whether a server is on this very host: only there may a secret travel without encryption, since nobody can stand between.
import { isIP } from "node:net";

/** True for names and addresses of this host's loopback. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1" || host === "[::1]") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}
