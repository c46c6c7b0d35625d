// What portsentry's face starts with: the configuration, the ignore file and the files that it will write, each looked at
// before anything goes into the background, where nobody would hear what is wrong with them.
import { readFileSync } from "node:fs";
import { type ConfigFault, describeError, formatFault } from "../core/errors.ts";
import { IgnoreFile } from "../sentry/portsentry/ignore-file.ts";
import { type PortsentryConfig, parsePortsentryConfig } from "../sentry/portsentry/parse.ts";
import { prepareFile } from "../sentry/portsentry/plain-file.ts";
import type { FaceOutput } from "./output.ts";
import type { PortsentryRequest } from "./portsentry-options.ts";

export type PortsentrySettings = {
  readonly config: PortsentryConfig;
  /** The keys that stand in the configuration. */
  readonly given: ReadonlySet<string>;
  readonly ignore: IgnoreFile;
};

/** Null after saying every fault that keeps it from starting. */
export function readPortsentrySettings(
  request: PortsentryRequest,
  output: FaceOutput,
): PortsentrySettings | null {
  const { configFile: file, wording } = request;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    output.err(`${file}: ${describeError(error)}\n    mend: name another with -c FILE\n`);
    return null;
  }
  const { config, faults, given } = parsePortsentryConfig(file, text, wording);
  const grave = missing(request, config, given);
  const ignore = new IgnoreFile(config.ignoreFile, (fault) => output.err(`${formatFault(fault)}\n`));
  // 2.x refuses to start with a key it does not know; 1.x never looked at the others.
  const isRefused = grave.length > 0 || (wording === 2 && faults.length > 0);
  for (const fault of [...faults, ...grave])
    output.err(`${formatFault(isRefused ? { ...fault, consequence: "not started" } : fault)}\n`);
  return isRefused ? null : { config, given, ignore };
}

/** What either generation cannot start without. */
function missing(
  request: PortsentryRequest,
  config: PortsentryConfig,
  given: ReadonlySet<string>,
): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (key: string, message: string, mend: string) =>
    faults.push({ file: request.configFile, line: 0, key, message, mend });
  if (portsOf(request, config).length === 0) {
    const key = /udp/.test(request.mode) ? "UDP_PORTS" : "TCP_PORTS";
    fault(key, "no ports to watch", `write ${key}="1,11,15" or a range`);
  }
  if (request.wording === 1) {
    for (const key of ["IGNORE_FILE", "HISTORY_FILE", "BLOCKED_FILE"])
      if (!given.has(key)) fault(key, "is missing", `write ${key}="..."; "" for none`);
  } else {
    const reactions = [config.blockTcp, config.blockUdp];
    const { killRoute, killHostsDeny, killRunCmd } = config;
    if (reactions.some((one) => one > 0) && config.blockedFile === "")
      fault("BLOCKED_FILE", "is missing, where BLOCK_TCP or BLOCK_UDP is not 0", "name a file for it");
    if (reactions.includes(2) && killRunCmd === "")
      fault("KILL_RUN_CMD", "is missing, where BLOCK_TCP or BLOCK_UDP is 2", "write the command to run");
    if (reactions.includes(1) && `${killRoute}${killHostsDeny}${killRunCmd}` === "")
      fault("KILL_ROUTE", "no way to block, where BLOCK_TCP or BLOCK_UDP is 1", 'write KILL_ROUTE="..."');
  }
  // 1.x finds out about its history when there is something to write down.
  const needed = request.wording === 1 ? [] : (["historyFile"] as const);
  for (const field of [...needed, "blockedFile"] as const) {
    const path =
      config[field] === "" || request.wording === 2 ? config[field] : `${config[field]}.${request.mode}`;
    if (path === "" || path === "/dev/null") continue;
    try {
      prepareFile(path, { anything: field === "historyFile" });
    } catch (error) {
      fault(
        field === "historyFile" ? "HISTORY_FILE" : "BLOCKED_FILE",
        describeError(error),
        "name another file",
      );
    }
  }
  return faults;
}

function portsOf({ mode }: PortsentryRequest, config: PortsentryConfig): readonly unknown[] {
  if (mode === "atcp" || mode === "audp") return [mode];
  if (mode === "tcp" || mode === "stcp") return config.tcpPorts;
  if (mode === "udp" || mode === "sudp") return config.udpPorts;
  return [...config.tcpPorts, ...config.udpPorts];
}
