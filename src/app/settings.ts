// Joins telltale's own configuration with what the machine already has: logrotate's, logcheck's and PortSentry's
// files where they exist. What is found here is what the status block shows.
import { accessSync, constants, existsSync, lstatSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { readConfig } from "../config/read.ts";
import type { Config } from "../config/types.ts";
import { type Prefix, parsePrefix } from "../core/address.ts";
import { type ConfigFault, describeError } from "../core/errors.ts";
import type { Mode } from "../core/events.ts";
import { type PortsentryConfig, parseIgnoreFile, parsePortsentryConfig } from "../sentry/portsentry/parse.ts";
import { isPanicked, PANIC_HOLDS } from "./panic.ts";
import { CONFIG_FILE, type Places, placesOf } from "./places.ts";
import { jitterOf } from "./schedule.ts";

const PORTSENTRY_CONFIG = "/etc/portsentry/portsentry.conf";
const LOGROTATE_STATE = "/var/lib/logrotate/status";

export type Settings = Places & {
  readonly host: string;
  readonly configFile: string;
  readonly config: Config;
  /** The files that were read: telltale.toml and its drop-ins. */
  readonly configFiles: readonly string[];
  /** This host's delay behind hourly, daily, weekly and monthly work. */
  readonly jitterMs: number;
  readonly faults: readonly ConfigFault[];
  readonly mode: Mode;
  /** Why the mode is not what was asked for, when it is not. */
  readonly modeBecause: string;
  readonly storeFile: string;
  readonly rotateConfigs: readonly string[];
  readonly rotateState: string;
  /** Addresses and networks; the names of `respond.allow` are looked up by `app/protected.ts`. */
  readonly allow: readonly Prefix[];
  /** Ports where one touch is a scan. */
  readonly tripwires: readonly number[];
  /** PortSentry's configuration, when it is there and read. */
  readonly portsentryConfig: string | null;
};

/** A port list of portsentry.conf may name every port; a tripwire on all of them is what the guard does anyway. */
const MAX_TRIPWIRES = 1_024;

/**
 * Reads everything that decides how telltale runs on this host. Never throws for a fault in a file.
 * @param configFile telltale.toml somebody named, if any
 * @param block whether the command line asks for blocking
 */
export function gatherSettings(configFile: string | undefined, block = false): Settings {
  const file = configFile ?? CONFIG_FILE;
  const read = readConfig(file, configFile !== undefined);
  const { config } = read;
  const faults = [...read.faults];
  const portsentry = gatherPortsentry(faults);
  const places = placesOf(config.store.directory, config.guard.control_socket);
  const { storeDirectory } = places;
  const asked: Mode = block ? "block" : config.respond.mode;
  // A lost allow list could lock somebody out: with a fault in what governs blocking, nobody is blocked.
  const unsafe = read.broken || read.faults.some((fault) => /^respond(\.|$)/.test(fault.key));
  const panicked = isPanicked(storeDirectory);
  const modeBecause =
    asked === "observe"
      ? ""
      : unsafe
        ? `${file} has a fault that concerns blocking`
        : panicked
          ? PANIC_HOLDS
          : "";
  const host = hostname();
  return {
    ...places,
    host,
    configFile: file,
    config,
    configFiles: read.files,
    jitterMs: jitterOf(host, config.guard.jitter),
    faults,
    mode: unsafe || panicked ? "observe" : asked,
    modeBecause,
    storeFile: join(storeDirectory, "telltale.db"),
    rotateConfigs: config.rotate.config.filter((path) => existsSync(path)),
    rotateState: config.rotate.state || (sharesState() ? LOGROTATE_STATE : ownRotateState(storeDirectory)),
    allow: [
      ...config.respond.allow.map(parsePrefix).filter((prefix) => prefix !== null),
      ...portsentry.ignore,
    ],
    tripwires: [...new Set([...config.sentry.tripwire_ports, ...portsentry.tripwires])].sort((a, b) => a - b),
    portsentryConfig: portsentry.file,
  };
}

type Portsentry = { file: string | null; ignore: readonly Prefix[]; tripwires: readonly number[] };

function gatherPortsentry(faults: ConfigFault[]): Portsentry {
  const nothing = { file: null, ignore: [], tripwires: [] };
  if (!existsSync(PORTSENTRY_CONFIG)) return nothing;
  const text = mayReadText(PORTSENTRY_CONFIG, faults);
  if (text === null) return nothing;
  const { config, faults: own } = parsePortsentryConfig(PORTSENTRY_CONFIG, text);
  faults.push(...own);
  return { file: PORTSENTRY_CONFIG, ignore: ignoredBy(config, faults), tripwires: tripwiresOf(config) };
}

function ignoredBy({ ignoreFile }: PortsentryConfig, faults: ConfigFault[]): readonly Prefix[] {
  if (ignoreFile === "" || !existsSync(ignoreFile)) return [];
  const text = mayReadText(ignoreFile, faults);
  if (text === null) return [];
  const { prefixes, faults: own } = parseIgnoreFile(ignoreFile, text);
  faults.push(...own);
  return prefixes;
}

// PortSentry reacts to one touch of a listed port when SCAN_TRIGGER is 0 and its protocol is not set to log only:
// that is a tripwire. Otherwise the ports are watched like every other, and counting decides.
function tripwiresOf({ scanTrigger, blockTcp, blockUdp, tcpPorts, udpPorts }: PortsentryConfig): number[] {
  if (scanTrigger > 0) return [];
  const ranges = [...(blockTcp === 0 ? [] : tcpPorts), ...(blockUdp === 0 ? [] : udpPorts)];
  const ports = ranges.flatMap(({ low, high }) =>
    Array.from({ length: Math.min(high - low + 1, MAX_TRIPWIRES) }, (_, i) => low + i),
  );
  return ports.slice(0, MAX_TRIPWIRES);
}

function mayReadText(file: string, faults: ConfigFault[]): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    faults.push({
      file,
      line: 0,
      key: "",
      message: `cannot be read: ${describeError(error)}`,
      mend: "make it readable for the user telltale runs as",
      consequence: "what it says does not apply",
    });
    return null;
  }
}

// A guard that was split once has a folder for it that its unprivileged half cannot write.
function ownRotateState(storeDirectory: string): string {
  const folder = join(storeDirectory, "rotate");
  let isOurs = false;
  try {
    const facts = lstatSync(folder, { throwIfNoEntry: false });
    isOurs = facts?.isDirectory() === true && facts.uid === process.getuid?.();
  } catch {
    // Somebody else's guard, whose folder is closed to us: they ask it for its status, and rotate nothing there.
  }
  return isOurs ? join(folder, "state") : join(storeDirectory, "rotate.state");
}

// Where logrotate is installed its state is the one to share, also before its first run has made the file.
function sharesState(): boolean {
  const place = existsSync(LOGROTATE_STATE) ? LOGROTATE_STATE : dirname(LOGROTATE_STATE);
  try {
    accessSync(place, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false; // not there, or not ours: the own state file is used
  }
}
