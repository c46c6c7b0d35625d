// Where telltale's own things lie on this host. All that a command has to know of the configuration when it only asks the running
// guard: what else stands there is the guard's business, and reading it takes longer than the question.
import { homedir } from "node:os";
import { join } from "node:path";
import { readFiles, textOf } from "../config/files.ts";

export const CONFIG_FILE = "/etc/telltale/telltale.toml";
const SYSTEM_STATE = "/var/lib/telltale";
/** Where the guard of a whole system listens. */
export const CONTROL_SOCKET = "/run/telltale/control.sock";

export type Places = {
  readonly storeDirectory: string;
  /** Where the guard of this configuration listens for status, reload and stop. */
  readonly controlSocket: string;
  /** Somebody wrote down one of the two: no other guard is meant. */
  readonly isNamed: boolean;
};

/** The places by what telltale.toml and its drop-ins say. Never throws for a fault in a file. */
export function gatherPlaces(configFile: string | undefined): Places {
  const { texts } = readFiles(configFile ?? CONFIG_FILE, configFile !== undefined);
  return placesOf(textOf(texts, "store", "directory"), textOf(texts, "guard", "control_socket"));
}

/**
 * @param directory what store.directory says
 * @param socket what guard.control_socket says
 */
export function placesOf(directory: string, socket: string): Places {
  const storeDirectory = directory || defaultStateDirectory();
  return {
    storeDirectory,
    controlSocket:
      socket || (storeDirectory === SYSTEM_STATE ? CONTROL_SOCKET : join(storeDirectory, "control.sock")),
    isNamed: directory !== "" || socket !== "",
  };
}

/** Where history lives when nobody said otherwise: the FHS place for root, the XDG place for others. */
function defaultStateDirectory(): string {
  if (process.getuid?.() === 0) return SYSTEM_STATE;
  return join(process.env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "telltale");
}
