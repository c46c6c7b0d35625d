// portsentry's command line, 1.x and 2.x: same configuration, same modes, same lines and files. What is seen comes from
// the sentry's own capture, decoder and socket tables.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Address } from "../core/address.ts";
import { describeError, formatFault, MissingPartError } from "../core/errors.ts";
import type { Event, EventBody } from "../core/events.ts";
import { HostFactsReader } from "../respond/facts.ts";
import { guardOver, wholeAddress } from "../respond/guardrails.ts";
import { ConnectTraps } from "../sentry/connect.ts";
import { Listeners } from "../sentry/listeners.ts";
import { LocalAddresses } from "../sentry/local.ts";
import type { PortRange, PortsentryConfig } from "../sentry/portsentry/parse.ts";
import { Reactor } from "../sentry/portsentry/reactor.ts";
import { advancedPorts, StealthWatch } from "../sentry/portsentry/stealth.ts";
import { openTables } from "../sentry/tables.ts";
import { PROTOCOL } from "../sentry/types.ts";
import { openCapture } from "../sources/packets/capture.ts";
import { type FaceOutput, standardOutput } from "./output.ts";
import { openLog } from "./portsentry-log.ts";
import {
  isClassicCall,
  PORTSENTRY_HELP,
  type PortsentryRequest,
  readPortsentryOptions,
} from "./portsentry-options.ts";
import { type PortsentrySettings, readPortsentrySettings } from "./portsentry-settings.ts";

const FAILURE = 1;
const CLASSIC_FAILURE = 255;
const REFRESH_MS = 1_000;
// Set in the environment of the process that runs in the background.
const DAEMON_MARK = "TELLTALE_PORTSENTRY_DAEMON";

/** Runs until SIGTERM or SIGINT. Returns the exit status. */
export async function main(argv: readonly string[], output: FaceOutput = standardOutput): Promise<number> {
  const request = readPortsentryOptions(argv);
  const failure = isClassicCall(argv) ? CLASSIC_FAILURE : FAILURE;
  if (typeof request === "string") {
    output.err(`Error: ${request}\n    mend: see portsentry --help\n`);
    return failure;
  }
  if (request.show !== null) {
    output.out(
      Buffer.from(request.show === "help" ? PORTSENTRY_HELP : "Portsentry version 2.0 (telltale)\n"),
    );
    return 0;
  }
  const settings = readPortsentrySettings(request, output);
  if (settings === null) return failure;
  if (request.daemon && process.env[DAEMON_MARK] === undefined) {
    goToBackground();
    return 0;
  }
  const gone = new AbortController();
  const { write: log, close } = openLog(request.log, output, () => gone.abort());
  try {
    nameProcess(argv);
    await watch(request, settings, log, gone.signal);
    return 0;
  } catch (error) {
    const mend = error instanceof MissingPartError ? `\n    mend: ${error.mend}` : "";
    output.err(`Error: ${describeError(error)}${mend}\n`);
    if (request.log !== "stdout") log(`adminalert: ERROR: ${describeError(error)}`);
    if (request.wording === 1) log("adminalert: ERROR: could not go into PortSentry mode. Shutting down.");
    for (const line of endLines(request)) log(line);
    return failure;
  } finally {
    await close();
  }
}

/** Watches until a signal ends it, or nobody reads its lines any more. */
async function watch(
  request: PortsentryRequest,
  settings: PortsentrySettings,
  log: (line: string) => void,
  gone: AbortSignal,
): Promise<void> {
  const { config, ignore, given } = settings;
  const { mode, wording, verbose, debug, skipLocalCheck } = request;
  // The daemons of both generations go on when the terminal that started them is closed.
  if (request.daemon) process.on("SIGHUP", () => {});
  // In the background nobody hears standard error.
  ignore.onFault = (fault) => log(`adminalert: ERROR: ${formatFault({ ...fault, mend: "" })}`);
  const isClassic = wording === 1;
  if (isClassic) for (const line of startLines(mode, config, given)) log(line);
  const reactor = new Reactor({
    config,
    ignore,
    wording,
    mode,
    log,
    verbose,
    debug,
    skipLocalCheck,
    guardrail: guardrails(),
  });
  const isConnect = mode === "connect" || mode === "tcp" || mode === "udp";
  const close = isConnect
    ? await openTraps(request, config, reactor, log)
    : openStealth(request, config, reactor, log);
  log(
    isClassic
      ? "adminalert: PortSentry is now active and listening."
      : "Portsentry is now active and listening.",
  );
  await ended(gone);
  close();
  await reactor.end();
  for (const line of endLines(request)) log(line);
}

function endLines({ wording }: PortsentryRequest): string[] {
  return wording === 2
    ? ["Portsentry is shutting down"]
    : ["securityalert: PortSentry is shutting down", "adminalert: PortSentry is shutting down"];
}

/** Scripts that stop it look for its name (killall, pgrep -x, start-stop-daemon) or for its command line (ps, pgrep -f). */
function nameProcess(argv: readonly string[]): void {
  process.title = ["portsentry", ...argv].join(" ");
  try {
    // The title is both; the name is what fits of it, and must not have the arguments in it. proc(5): /proc/PID/comm
    writeFileSync("/proc/self/comm", "portsentry");
  } catch {
    // Without /proc nobody can look for a name either.
  }
}

/**
 * Gateway, resolvers and the peers of live SSH sessions are never blocked, whosever packets bear their address. This
 * host's own addresses are: PortSentry leaves those to the ignore file and to -L.
 */
function guardrails(): (source: Address) => string | null {
  const facts = new HostFactsReader({ ignoreFiles: [] });
  const locals = new LocalAddresses();
  // Read now: the first look costs more than a block, which others wait for.
  facts.current();
  return (source) => {
    locals.refresh();
    return locals.isOurs(source) ? null : guardOver(wholeAddress(source), facts.current().guards);
  };
}

/** What 1.x says while it starts. */
function startLines(
  mode: PortsentryRequest["mode"],
  config: PortsentryConfig,
  given: ReadonlySet<string>,
): string[] {
  const isTcp = mode.endsWith("tcp");
  const lines = ["adminalert: PortSentry 1.2 is starting."];
  const unread = (key: string, instead: string): void => {
    if (!given.has(key))
      lines.push(`adminalert: ERROR: Could not read ${key} option from config file. ${instead}`);
  };
  unread("SCAN_TRIGGER", "Disabling SCAN DETECTION TRIGGER");
  if (mode.startsWith("a")) {
    unread(isTcp ? "ADVANCED_PORTS_TCP" : "ADVANCED_PORTS_UDP", "Assuming 1024.");
    const below = isTcp ? config.advancedPortsTcp : config.advancedPortsUdp;
    const exclude = [...portsIn(isTcp ? config.advancedExcludeTcp : config.advancedExcludeUdp)];
    lines.push(`adminalert: Advanced mode will monitor first ${below} ports`);
    if (!given.has(isTcp ? "ADVANCED_EXCLUDE_TCP" : "ADVANCED_EXCLUDE_UDP"))
      lines.push("adminalert: Advanced mode will manually exclude no ports");
    for (const port of exclude) lines.push(`adminalert: Advanced mode will manually exclude port: ${port} `);
    return lines;
  }
  // Where the ports are really opened, each is told as it is tried.
  if (!mode.startsWith("s")) return lines;
  for (const port of portsIn(isTcp ? config.tcpPorts : config.udpPorts)) {
    lines.push(`adminalert: Going into stealth listen mode on ${isTcp ? "TCP" : "UDP"} port: ${port}`);
  }
  return lines;
}

/** The ports that -atcp and -audp leave out, because they are excluded or in use, as 1.x lists them. */
function advancedLines(
  mode: PortsentryRequest["mode"],
  config: PortsentryConfig,
  watched: readonly PortRange[],
): string[] {
  if (!mode.startsWith("a")) return [];
  const [name, below] = mode === "atcp" ? ["TCP", config.advancedPortsTcp] : ["UDP", config.advancedPortsUdp];
  const isWatched = new Set(portsIn(watched));
  const lines: string[] = [];
  for (let port = 1; port < below; port++) {
    if (!isWatched.has(port))
      lines.push(`adminalert: Advanced Stealth scan detection mode activated. Ignored ${name} port: ${port}`);
  }
  return lines;
}

async function openTraps(
  { mode, wording }: PortsentryRequest,
  config: PortsentryConfig,
  reactor: Reactor,
  log: (line: string) => void,
): Promise<() => void> {
  const isClassic = wording === 1;
  const traps = await ConnectTraps.open({
    tcpPorts: mode === "udp" ? [] : portsIn(config.tcpPorts),
    udpPorts: mode === "tcp" ? [] : portsIn(config.udpPorts),
    onTry: (protocol, port) => {
      if (isClassic) log(`adminalert: Going into listen mode on ${protocol} port: ${port}`);
    },
    onRefused: (protocol, port, why) => {
      const what = `adminalert: ERROR: could not bind ${protocol} socket: ${port}. Attempting to continue`;
      log(isClassic ? what : `${what} (${why})`);
    },
    onShort: (leftOut, limit) =>
      log(
        `adminalert: ERROR: ${leftOut} ports are not watched: this process may open ${limit} files. Attempting to continue (raise it: ulimit -n, or LimitNOFILE= of the unit)`,
      ),
    onCaught: ({ reply, done, ...caught }) => {
      const banner = (): void => {
        if (config.portBanner !== "") reply(config.portBanner);
      };
      void reactor.see({ ...caught, type: "Connect", ipOptions: "unknown" }, banner).finally(done);
    },
  });
  if (traps.size > 0) return () => traps.close();
  if (isClassic) log(`adminalert: ERROR: could not bind ANY ${mode.toUpperCase()} sockets. Shutting down.`);
  throw new MissingPartError(
    "sentry",
    "could not bind ANY sockets",
    "free one of the ports, name others, or run as root for ports below 1024",
  );
}

function openStealth(
  request: PortsentryRequest,
  config: PortsentryConfig,
  reactor: Reactor,
  log: (line: string) => void,
): () => void {
  const listeners = new Listeners(openTables());
  const locals = new LocalAddresses();
  listeners.refresh();
  locals.refresh();
  const { tcpPorts, udpPorts } = stealthPorts(request, config, listeners);
  for (const line of advancedLines(request.mode, config, [...tcpPorts, ...udpPorts])) log(line);
  const stealth = new StealthWatch({
    tcpPorts,
    udpPorts,
    listeners,
    locals,
    skipServiceCheck: request.skipServiceCheck,
    onSighting: (sighting) => void reactor.see(sighting),
  });
  const capture = openCapture({
    interfaces: request.interfaces,
    loopback: request.loopback,
    onPacket: (frame) => stealth.observe(frame),
    emit: (event) => tell(event, log),
  });
  const refresh = (): void => {
    listeners.refresh();
    locals.refresh();
    if (!request.skipServiceCheck) capture.setOrdinary(listeners.ordinary(LEAST_SAMPLE, null));
  };
  refresh();
  const timer = setInterval(refresh, REFRESH_MS);
  return () => {
    clearInterval(timer);
    capture.close();
    listeners.close();
  };
}

// Nothing is learned here from SYNs to open ports.
const LEAST_SAMPLE = 1 << 16;

function stealthPorts(
  { mode }: PortsentryRequest,
  config: PortsentryConfig,
  listeners: Listeners,
): { tcpPorts: readonly PortRange[]; udpPorts: readonly PortRange[] } {
  const busy = (protocol: number) => (port: number) =>
    listeners.wasInUse(4, protocol, port) || listeners.wasInUse(6, protocol, port);
  if (mode === "atcp") {
    const { advancedPortsTcp, advancedExcludeTcp } = config;
    return {
      tcpPorts: advancedPorts(advancedPortsTcp, advancedExcludeTcp, busy(PROTOCOL.tcp)),
      udpPorts: [],
    };
  }
  if (mode === "audp") {
    const { advancedPortsUdp, advancedExcludeUdp } = config;
    return {
      tcpPorts: [],
      udpPorts: advancedPorts(advancedPortsUdp, advancedExcludeUdp, busy(PROTOCOL.udp)),
    };
  }
  return {
    tcpPorts: mode === "sudp" ? [] : config.tcpPorts,
    udpPorts: mode === "stcp" ? [] : config.udpPorts,
  };
}

/** What the capture has to say, as lines. */
function tell(event: EventBody, log: (line: string) => void): Event {
  if (event.type === "part.failed")
    log(`adminalert: ERROR: ${event.why} (${event.mend}); ${event.stillRuns}`);
  else if (event.type === "part.recovered") log(`adminalert: ${event.how}`);
  else if (event.type === "packets.lost") log(`adminalert: ${event.count} packets were lost unseen`);
  return { ...event, v: 1, id: "", host: "", at: new Date().toISOString() };
}

function* portsIn(ranges: readonly PortRange[]): Generator<number> {
  const seen = new Set<number>();
  for (const { low, high } of ranges) {
    for (let port = low; port <= high; port++) {
      if (seen.has(port)) continue;
      seen.add(port);
      yield port;
    }
  }
}

function ended(gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (gone.aborted) resolve();
    gone.addEventListener("abort", () => resolve());
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
}

/** The same command again, in a session of its own and without a terminal. */
function goToBackground(): void {
  spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: "ignore",
    env: { ...process.env, [DAEMON_MARK]: "1" },
  }).unref();
}
