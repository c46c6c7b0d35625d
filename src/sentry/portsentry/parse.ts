// Reads the text of portsentry.conf, 1.x and 2.x: KEY = "value" lines, in which unknown keys are faults of
// their own line only. Pure. Format: portsentry.conf as Debian ships it (1.2) and portsentry.conf(8) of 2.x. Where the two
// read one line differently, the wording decides.
import { type Prefix, parsePrefix } from "../../core/address.ts";
import type { ConfigFault } from "../../core/errors.ts";
import type { Wording } from "./types.ts";

/** Ports from `low` to `high`, both included. */
export type PortRange = { readonly low: number; readonly high: number };

/** 0: log only; 1: block; 2: run the external command only. */
export type Reaction = 0 | 1 | 2;

export type PortsentryConfig = {
  readonly tcpPorts: readonly PortRange[];
  readonly udpPorts: readonly PortRange[];
  /** Stealth "advanced" modes of 1.x watch every port below these. */
  readonly advancedPortsTcp: number;
  readonly advancedPortsUdp: number;
  readonly advancedExcludeTcp: readonly PortRange[];
  readonly advancedExcludeUdp: readonly PortRange[];
  readonly ignoreFile: string;
  readonly historyFile: string;
  readonly blockedFile: string;
  readonly resolveHost: boolean;
  readonly blockTcp: Reaction;
  readonly blockUdp: Reaction;
  readonly killRoute: string;
  readonly killHostsDeny: string;
  readonly killRunCmd: string;
  readonly killRunCmdFirst: boolean;
  /** Connections tolerated before the reaction; 0 reacts to the first. */
  readonly scanTrigger: number;
  readonly portBanner: string;
};

type Values = { -readonly [Key in keyof PortsentryConfig]: PortsentryConfig[Key] };

const KEYS: Record<
  string,
  { field: keyof PortsentryConfig; is: "ports" | "port" | "text" | "switch" | "reaction" | "count" }
> = {
  TCP_PORTS: { field: "tcpPorts", is: "ports" },
  UDP_PORTS: { field: "udpPorts", is: "ports" },
  ADVANCED_PORTS_TCP: { field: "advancedPortsTcp", is: "port" },
  ADVANCED_PORTS_UDP: { field: "advancedPortsUdp", is: "port" },
  ADVANCED_EXCLUDE_TCP: { field: "advancedExcludeTcp", is: "ports" },
  ADVANCED_EXCLUDE_UDP: { field: "advancedExcludeUdp", is: "ports" },
  IGNORE_FILE: { field: "ignoreFile", is: "text" },
  HISTORY_FILE: { field: "historyFile", is: "text" },
  BLOCKED_FILE: { field: "blockedFile", is: "text" },
  RESOLVE_HOST: { field: "resolveHost", is: "switch" },
  BLOCK_TCP: { field: "blockTcp", is: "reaction" },
  BLOCK_UDP: { field: "blockUdp", is: "reaction" },
  KILL_ROUTE: { field: "killRoute", is: "text" },
  KILL_HOSTS_DENY: { field: "killHostsDeny", is: "text" },
  KILL_RUN_CMD: { field: "killRunCmd", is: "text" },
  KILL_RUN_CMD_FIRST: { field: "killRunCmdFirst", is: "switch" },
  SCAN_TRIGGER: { field: "scanTrigger", is: "count" },
  PORT_BANNER: { field: "portBanner", is: "text" },
};

const WANTS = {
  ports: ["ports from 1 to 65535 or ranges, low to high, with commas between", 'write "1,11,15" or "1-1023"'],
  port: ["a port from 1 to 65535", 'write "1024"'],
  switch: ['"0" or "1"', 'write "1" for yes, "0" for no'],
  reaction: ['"0", "1" or "2"', 'write "0" to log, "1" to block, "2" to run KILL_RUN_CMD only'],
  count: ["a whole number", 'write "0" to react to the first probe'],
  text: ["text", 'write it in quotes: "..."'],
} as const;

// A key begins its line. 1.x takes whatever stands up to the first quote for the "=", and a line that ends for a quote.
const LINE: Readonly<Record<Wording, RegExp>> = {
  1: /^([A-Za-z_0-9]+)(?:[= ][^"]*)"([^"]*)/,
  2: /^([A-Za-z_0-9]+)[ \t]*=[ \t]*"([^"]*)"/,
};

export type ParsedConfig = {
  /** With PortSentry's defaults for what is absent or faulty. */
  readonly config: PortsentryConfig;
  readonly faults: ConfigFault[];
  /** The keys that the text gives a value. */
  readonly given: ReadonlySet<string>;
};

/**
 * Reads the text of a portsentry.conf.
 * @param file its name, for faults
 * @param wording whose reading: of a key that is written twice, 1.x takes the first line and 2.x the last
 */
export function parsePortsentryConfig(file: string, text: string, wording: Wording = 1): ParsedConfig {
  const faults: ConfigFault[] = [];
  const given = new Map<string, number>();
  const values: Values = {
    tcpPorts: [],
    udpPorts: [],
    advancedPortsTcp: 1024,
    advancedPortsUdp: 1024,
    advancedExcludeTcp: [],
    advancedExcludeUdp: [],
    ignoreFile: "",
    historyFile: "",
    blockedFile: "",
    resolveHost: false,
    blockTcp: 0,
    blockUdp: 0,
    killRoute: "",
    killHostsDeny: "",
    killRunCmd: "",
    killRunCmdFirst: false,
    scanTrigger: 0,
    portBanner: "",
  };
  // Some editors begin a file with a byte order mark.
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const written = raw.trimEnd();
    if (written === "" || written.startsWith("#")) continue;
    const fault = (key: string, message: string, mend: string, consequence = "line ignored") =>
      faults.push({ file, line: index + 1, key, message, mend, consequence });
    const match = LINE[wording].exec(written);
    if (match === null) {
      const found = JSON.stringify(written.slice(0, 80));
      fault("", `wants KEY="value" from the first column on, found ${found}`, 'write KEY="value"');
      continue;
    }
    const name = match[1]!;
    const key = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
    if (key === undefined) {
      const known = Object.keys(KEYS).join(", ");
      fault(name, "is no key of portsentry.conf", `remove the line; known keys: ${known}`);
      continue;
    }
    const earlier = given.get(name);
    if (earlier !== undefined && wording === 1) {
      fault(name, `is written in line ${earlier} already, and the first counts`, "remove one of the lines");
      continue;
    }
    given.set(name, index + 1);
    const found = match[2]!;
    const [wants, mend] = WANTS[key.is];
    const wrong = (what: string, consequence?: string) =>
      fault(name, `wants ${wants}, found ${JSON.stringify(what.slice(0, 80))}`, mend, consequence);
    if (key.is === "ports") {
      const ranges: PortRange[] = [];
      for (const item of itemsOf(found)) {
        const range = parsePortRange(item);
        if (range === null) wrong(item, "the other ports stay");
        else ranges.push(range);
      }
      (values as Record<string, unknown>)[key.field] = ranges;
      continue;
    }
    // Both generations end a value at the second quote; half a command must not pass for one.
    const rest = written.slice(match[0].length).replace(/^"/, "").trim();
    if (name.startsWith("KILL_") && rest !== "" && !rest.startsWith("#"))
      fault(
        name,
        `ends at the second quote, found ${JSON.stringify(rest.slice(0, 80))} behind it`,
        "write ' inside of the value",
        "the rest is ignored",
      );
    const value = readValue(key.is, found);
    if (value === null) wrong(found);
    else (values as Record<string, unknown>)[key.field] = value;
  }
  return { config: values, faults, given: new Set(given.keys()) };
}

function readValue(is: Exclude<keyof typeof WANTS, "ports">, text: string): unknown {
  switch (is) {
    case "text":
      return text;
    case "switch":
      return text === "0" || text === "1" ? text === "1" : null;
    case "reaction":
      return /^[012]$/.test(text) ? Number(text) : null;
    case "count":
      return /^\d{1,9}$/.test(text) ? Number(text) : null;
    case "port":
      return parsePort(text);
  }
}

/** `1,11,20-25` as ranges; null when any item is no port or range. An empty text is an empty list. */
export function parsePortRanges(text: string): PortRange[] | null {
  const ranges = itemsOf(text).map(parsePortRange);
  return ranges.every((range) => range !== null) ? ranges : null;
}

function itemsOf(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function parsePortRange(item: string): PortRange | null {
  const [from, to, more] = item.split("-");
  const low = parsePort(from!);
  const high = to === undefined ? low : parsePort(to);
  return low === null || high === null || more !== undefined || low > high ? null : { low, high };
}

function parsePort(text: string): number | null {
  if (!/^\d{1,5}$/.test(text)) return null;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : null;
}

/**
 * Reads the text of portsentry.ignore: an address or CIDR a line, `#` comments.
 * @param file its name, for faults
 */
export function parseIgnoreFile(file: string, text: string): { prefixes: Prefix[]; faults: ConfigFault[] } {
  const prefixes: Prefix[] = [];
  const faults: ConfigFault[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const written = raw.replace(/#.*/, "").trim();
    if (written === "") continue;
    const prefix = parsePrefix(written);
    // PortSentry's stock file lists 0.0.0.0 as an address of this host; it never meant every address there is.
    if (prefix !== null) prefixes.push(prefix);
    else {
      faults.push({
        file,
        line: index + 1,
        key: "",
        message: `wants an address or network, found ${JSON.stringify(written.slice(0, 80))}`,
        mend: 'write "192.0.2.7" or "192.0.2.0/24", one a line; names are not looked up',
        consequence: "line ignored",
      });
    }
  }
  return { prefixes, faults };
}
