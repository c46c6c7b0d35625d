// portsentry's command lines: the six modes of 1.x, one dash and all, and the options of 2.x.
import type { Wording } from "../sentry/portsentry/types.ts";

export type PortsentryMode = "tcp" | "udp" | "stcp" | "sudp" | "atcp" | "audp" | "stealth" | "connect";

export type PortsentryRequest = {
  readonly show: "help" | "version" | null;
  readonly mode: PortsentryMode;
  readonly wording: Wording;
  /** Relative to the working directory. */
  readonly configFile: string;
  /** Names, or empty for every one; `loopback` says whether lo is among them. */
  readonly interfaces: readonly string[];
  readonly loopback: boolean;
  readonly log: "stdout" | "syslog" | "both";
  readonly daemon: boolean;
  readonly debug: boolean;
  readonly verbose: boolean;
  readonly skipLocalCheck: boolean;
  readonly skipServiceCheck: boolean;
};

export const DEFAULT_CONFIG = "/etc/portsentry/portsentry.conf";

const CLASSIC_MODES: readonly string[] = ["tcp", "udp", "stcp", "sudp", "atcp", "audp"];
// What getopt_long(3) knows; a mode of 1.x is told apart before.
const LONG: Readonly<Record<string, string>> = {
  stealth: "stealth",
  connect: "connect",
  method: "m",
  interface: "i",
  "disable-local-check": "L",
  "disable-service-check": "S",
  logoutput: "l",
  configfile: "c",
  daemon: "D",
  debug: "d",
  verbose: "v",
  help: "h",
  version: "V",
};
const WITH_VALUE = "milc";

type Draft = { -readonly [Key in keyof PortsentryRequest]: PortsentryRequest[Key] } & {
  interfaces: string[];
  /** What -i asked for so far; ALL and a name together are a mistake. */
  chosen: "ALL" | "ALL_NLO" | "names" | null;
  method: "pcap" | "raw";
  chosenLog: PortsentryRequest["log"] | null;
};

/** Reads the arguments; a text is what was wrong with them. */
export function readPortsentryOptions(args: readonly string[]): PortsentryRequest | string {
  const draft: Draft = {
    show: null,
    mode: "stealth",
    wording: 2,
    configFile: DEFAULT_CONFIG,
    interfaces: [],
    chosen: null,
    method: "pcap",
    chosenLog: null,
    loopback: false,
    log: "stdout",
    daemon: false,
    debug: false,
    verbose: false,
    skipLocalCheck: false,
    skipServiceCheck: false,
  };
  let modes = 0;
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    const bare = word.replace(/^--?/, "");
    if (word !== bare && CLASSIC_MODES.includes(bare)) {
      modes++;
      Object.assign(draft, { mode: bare, wording: 1 });
    } else if (word.startsWith("--")) {
      const [start, attached] = split(bare, "=");
      const names = Object.hasOwn(LONG, start)
        ? [start]
        : Object.keys(LONG).filter((name) => name.startsWith(start));
      if (names.length === 0 || bare === "") return `unrecognized option '${word}'`;
      if (names.length > 1)
        return `option '${word}' is ambiguous; possibilities: ${names.map((name) => `'--${name}'`).join(" ")}`;
      const [name] = names as [string];
      const letter = LONG[name]!;
      const takes = WITH_VALUE.includes(letter);
      if (!takes && attached !== undefined) return `option '--${name}' doesn't allow an argument`;
      if (letter === "stealth" || letter === "connect") {
        modes++;
        draft.mode = letter;
        continue;
      }
      const fault = apply(draft, letter, takes ? (attached ?? args[++at]) : undefined);
      if (fault !== null) return fault;
    } else if (/^-[a-zA-Z]/.test(word)) {
      for (let i = 1; i < word.length; i++) {
        const letter = word[i]!;
        const takes = WITH_VALUE.includes(letter);
        const value = takes ? (i + 1 < word.length ? word.slice(i + 1) : args[++at]) : undefined;
        const fault = apply(draft, letter, value);
        if (fault !== null) return fault;
        if (takes) break;
      }
    } else return `unknown argument '${word}'`;
  }
  if (modes > 1) return "Only one mode can be specified";
  return settled(draft);
}

/** Whether the arguments name a mode of 1.x, whose exit status for any mistake is 255. */
export function isClassicCall(args: readonly string[]): boolean {
  return args.some((word) => word.startsWith("-") && CLASSIC_MODES.includes(word.replace(/^--?/, "")));
}

/** What the mode decides where nothing else was asked for. */
function settled({ chosen, method, chosenLog, ...draft }: Draft): PortsentryRequest {
  const isClassic = draft.wording === 1;
  const log = chosenLog ?? (isClassic ? "syslog" : "stdout");
  // 1.x goes into the background unless its lines are wanted here.
  const daemon = draft.daemon || (isClassic && log === "syslog");
  return {
    ...draft,
    daemon,
    // In the background standard output leads nowhere.
    log: daemon ? "syslog" : log,
    // Raw sockets, which 1.x has and `-m raw` asks for, are bound to no interface: loopback is among them.
    loopback: draft.loopback || (chosen === null && (isClassic || method === "raw")),
    skipLocalCheck: draft.skipLocalCheck || isClassic,
  };
}

function split(text: string, by: string): [string, string | undefined] {
  const at = text.indexOf(by);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Null, or what is wrong. */
function apply(draft: Draft, letter: string, value: string | undefined): string | null {
  if (WITH_VALUE.includes(letter) && (value === undefined || value === ""))
    return `option requires an argument -- '${letter}'`;
  switch (letter) {
    case "m":
      // Both are the kernel's ring here; they differ in the interfaces that they mean.
      if (value !== "pcap" && value !== "raw") return "Invalid sentry method specified";
      draft.method = value;
      return null;
    case "i":
      return addInterface(draft, value!);
    case "l":
      if (value !== "stdout" && value !== "syslog") return "Invalid log output specified";
      draft.chosenLog = draft.chosenLog === null || draft.chosenLog === value ? value : "both";
      return null;
    case "c":
      draft.configFile = value!;
      return null;
    case "L":
      draft.skipLocalCheck = true;
      return null;
    case "S":
      draft.skipServiceCheck = true;
      return null;
    case "D":
      draft.daemon = true;
      return null;
    case "d":
      draft.debug = true;
      draft.verbose = true;
      return null;
    case "v":
      draft.verbose = true;
      return null;
    case "h":
    case "V":
      draft.show ??= letter === "h" ? "help" : "version";
      return null;
    default:
      return `invalid option -- '${letter}'`;
  }
}

function addInterface(draft: Draft, name: string): string | null {
  const wanted = name === "any" ? "ALL" : name === "ALL" || name === "ALL_NLO" ? name : "names";
  if (draft.chosen !== null && draft.chosen !== wanted)
    return "Only one interface type can be specified (ALL, ALL_NLO or interfaces)";
  draft.chosen = wanted;
  if (wanted === "names") draft.interfaces.push(name);
  draft.loopback = wanted === "ALL" || draft.interfaces.includes("lo");
  return null;
}

export const PORTSENTRY_HELP = `Usage: portsentry [--stealth | --connect | -tcp | -udp | -stcp | -sudp | -atcp | -audp] [options]

Watches the ports of portsentry.conf, and deals with whoever touches them.

Modes
  --stealth                    listens to packets (the default)
  --connect                    opens the ports and waits for connections
  -tcp, -udp                   PortSentry 1.x: opens TCP_PORTS or UDP_PORTS
  -stcp, -sudp                 PortSentry 1.x: listens to packets to those ports
  -atcp, -audp                 PortSentry 1.x: listens on all unused ports below ADVANCED_PORTS_*

Options
  -i, --interface=NAME         ALL, ALL_NLO (without loopback, the default), or a name; may be repeated;
                               the modes of 1.x and -m raw listen on ALL unless told otherwise
  -c, --configfile=FILE        ${DEFAULT_CONFIG} unless given
  -l, --logoutput=stdout|syslog  may be repeated for both; in the background always syslog
  -L, --disable-local-check    also packets from this host to itself
  -S, --disable-service-check  also ports on which a service listens
  -m, --method=pcap|raw        raw listens on ALL interfaces; there is one way of listening here
  -D, --daemon                 goes into the background
  -d, --debug  -v, --verbose   says more
  -h, --help   -V, --version

Files
  HISTORY_FILE, BLOCKED_FILE and IGNORE_FILE of portsentry.conf, /etc/hosts.deny. What is changed in IGNORE_FILE,
  or taken out of BLOCKED_FILE, counts from then on

Exit status
  0 ended by a signal, 1 a fault in the command line, the configuration or the permissions; 255 with a mode of 1.x
`;
