// Where a run of logcheck looks for what may be there, and keeps what it needs for itself.
import { accessSync, constants, mkdtempSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";

/** The user's own cache (XDG Base Directory Specification 0.8). Not $HOME: who becomes another user often leaves it behind. */
export function cacheDirOf(env: NodeJS.ProcessEnv): { cacheDir?: string } {
  try {
    const given = env["XDG_CACHE_HOME"] ?? "";
    return { cacheDir: join(given.startsWith("/") ? given : join(userInfo().homedir, ".cache"), "telltale") };
  } catch {
    return {}; // a user whom the system does not know has no place of their own
  }
}

/** A text that is welcome and not needed, as header.txt and footer.txt are; empty when it cannot be read. */
export function readText(path: string): Uint8Array {
  return isReadable(path) ? readFileSync(path) : new Uint8Array(0);
}

export function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false; // the caller says what it means that it is not
  }
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // syslog-summary is an extra that need not be installed
  }
}

/** A directory of this run's own in `parent`, or elsewhere where that will not have it. */
export function makeTemporary(parent: string): string {
  try {
    return mkdtempSync(join(parent, "logcheck."));
  } catch {
    return mkdtempSync("/var/tmp/logcheck."); // a full or missing TMP, as logcheck does
  }
}
