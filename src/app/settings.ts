// Joins telltale's own configuration with what the machine already has: logrotate's, logcheck's and PortSentry's
// files where they exist. What is found here is what the status block shows.
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { type Prefix, parsePrefix } from "../core/address.ts";
import { type ConfigFault, describeError } from "../core/errors.ts";
import type { Mode } from "../core/events.ts";
import { readConfig } from "../config/read.ts";
import type { Config } from "../config/types.ts";
import { parseIgnoreFile, parsePortsentryConfig } from "../sentry/portsentry/parse.ts";

const CONFIG_FILE = "/etc/telltale/telltale.toml";
const PORTSENTRY_CONFIG = "/etc/portsentry/portsentry.conf";
const LOGROTATE_STATE = "/var/lib/logrotate/status";

export type Settings = {
  readonly host: string;
  readonly configFile: string;
  readonly config: Config;
  readonly faults: readonly ConfigFault[];
  readonly mode: Mode;
  /** Why the mode is not what was asked for, when it is not. */
  readonly modeBecause: string;
  readonly storeDirectory: string;
  readonly storeFile: string;
  readonly rotateConfigs: readonly string[];
  readonly rotateState: string;
  readonly allow: readonly Prefix[];
  readonly tripwireTcp: readonly number[];
  readonly tripwireUdp: readonly number[];
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
  const storeDirectory = config.store.directory || defaultStateDirectory();
  const asked: Mode = block ? "block" : config.respond.mode;
  // A lost allow list could lock somebody out: with a fault in what governs blocking, nobody is blocked.
  const unsafe = read.broken || read.faults.some((fault) => /^respond(\.|$)/.test(fault.key));
  const modeBecause = asked === "block" && unsafe ? `${file} has a fault that concerns blocking` : "";
  return {
    host: hostname(),
    configFile: file,
    config,
    faults,
    mode: unsafe ? "observe" : asked,
    modeBecause,
    storeDirectory,
    storeFile: join(storeDirectory, "telltale.db"),
    rotateConfigs: config.rotate.config.filter((path) => existsSync(path)),
    rotateState: config.rotate.state || (canRead(LOGROTATE_STATE) ? LOGROTATE_STATE : join(storeDirectory, "rotate.state")),
    allow: [...config.respond.allow.map((text) => parsePrefix(text)!), ...portsentry.ignore],
    tripwireTcp: [...config.sentry.tripwire_ports, ...portsentry.tcp],
    tripwireUdp: [...config.sentry.tripwire_ports, ...portsentry.udp],
    portsentryConfig: portsentry.file,
  };
}

/** Where history lives when nobody said otherwise: the FHS place for root, the XDG place for others. */
function defaultStateDirectory(): string {
  if (process.getuid?.() === 0) return "/var/lib/telltale";
  return join(process.env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "telltale");
}

function gatherPortsentry(faults: ConfigFault[]): { file: string | null; ignore: Prefix[]; tcp: number[]; udp: number[] } {
  const nothing = { file: null, ignore: [], tcp: [], udp: [] };
  if (!existsSync(PORTSENTRY_CONFIG)) return nothing;
  const text = mayReadText(PORTSENTRY_CONFIG, faults);
  if (text === null) return nothing;
  const parsed = parsePortsentryConfig(PORTSENTRY_CONFIG, text);
  faults.push(...parsed.faults);
  const { config } = parsed;
  const ignore: Prefix[] = [];
  if (config.ignoreFile !== "" && existsSync(config.ignoreFile)) {
    const ignored = mayReadText(config.ignoreFile, faults);
    if (ignored !== null) {
      const parsedIgnore = parseIgnoreFile(config.ignoreFile, ignored);
      ignore.push(...parsedIgnore.prefixes);
      faults.push(...parsedIgnore.faults);
    }
  }
  // SCAN_TRIGGER 0 means that one touch of a listed port is enough: a tripwire. Above it, counting is the guard's own.
  const ports = (ranges: typeof config.tcpPorts) =>
    config.scanTrigger > 0
      ? []
      : ranges
          .flatMap(({ low, high }) => Array.from({ length: Math.min(high - low + 1, MAX_TRIPWIRES + 1) }, (_, i) => low + i))
          .slice(0, MAX_TRIPWIRES);
  return { file: PORTSENTRY_CONFIG, ignore, tcp: ports(config.tcpPorts), udp: ports(config.udpPorts) };
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

function canRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false; // not there, or not ours: the own state file is used
  }
}
