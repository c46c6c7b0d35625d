// PortSentry's configuration, 1.x and 2.x: what it reacted to becomes tripwire ports, whom it ignored the allow list.
import { parsePrefix } from "../../core/address.ts";
import { type PortRange, parsePortRanges, parsePortsentryConfig } from "../../sentry/portsentry/parse.ts";
import type { Files } from "./files.ts";
import { type Note, type Ruling, rule, type Wish } from "./types.ts";

const CONFIG = "/etc/portsentry/portsentry.conf";
const MODES = "/etc/default/portsentry";
const IGNORES = ["/etc/portsentry/portsentry.ignore.static", "/etc/portsentry/portsentry.ignore"];
// A list that names every port is what the guard does anyway.
const LOOPBACK = /^(?:127\.0\.0\.1(?:\/32)?|0\.0\.0\.0|::1(?:\/128)?)$/;
const MAX_TRIPWIRES = 1_024;

/** Takes down portsentry.conf, the modes that Debian keeps beside it, and the files of ignored addresses. */
export function importPortsentry(files: Files, note: Note): void {
  readModes(files, note);
  const text = files.read(CONFIG);
  if (text === null) return;
  const { config, faults } = parsePortsentryConfig(CONFIG, text);
  const faulty = new Map(faults.map((fault) => [fault.line, `${fault.message}; ${fault.mend}`]));
  const atOnce = config.scanTrigger === 0;
  const blocks = config.blockTcp === 1 || config.blockUdp === 1;

  for (const [index, line] of text.split("\n").entries()) {
    const hit = /^\s*([A-Za-z_0-9]+)\s*=\s*"?([^"]*)"?/.exec(line);
    if (hit === null) continue;
    const [, name, value] = hit as unknown as [string, string, string];
    const at = { file: CONFIG, line: index + 1, name, value: value.trim() };
    const fault = faulty.get(index + 1);
    if (fault !== undefined) note(at, "unsupported", fault);
    else
      note(
        at,
        ...judge(at, { atOnce, blocks, tcp: config.blockTcp !== 0, udp: config.blockUdp !== 0, config }),
      );
  }
  const ignored = new Set([...IGNORES, ...(config.ignoreFile === "" ? [] : [config.ignoreFile])]);
  for (const file of ignored) readIgnored(file, files, note);
}

type Situation = {
  readonly atOnce: boolean;
  readonly blocks: boolean;
  readonly tcp: boolean;
  readonly udp: boolean;
  readonly config: { readonly killRoute: string };
};

type At = Parameters<Note>[0];

function judge(at: At, { atOnce, blocks, tcp, udp, config }: Situation): Ruling {
  switch (at.name) {
    case "TCP_PORTS":
    case "UDP_PORTS": {
      if (!atOnce)
        return rule("changed", "every unused port is watched; one touch is not yet a scan (SCAN_TRIGGER)");
      if (!(at.name === "TCP_PORTS" ? tcp : udp))
        return rule("changed", "every unused port is watched; PortSentry only logged touches of these");
      const ports = portsOf(parsePortRanges(at.value) ?? []);
      if (ports === null)
        return rule("changed", `names more than ${MAX_TRIPWIRES} ports; every unused port is watched anyway`);
      const wish: Wish = { key: "sentry.tripwire_ports", value: ports };
      return rule("honoured", "becomes sentry.tripwire_ports, for TCP and UDP alike", wish);
    }
    case "BLOCK_TCP":
    case "BLOCK_UDP":
      if (at.value === "1")
        return rule("honoured", 'becomes respond.mode = "block"', {
          key: "respond.mode",
          value: "block",
        });
      if (at.value === "0") return rule("honoured", "telltale observes unless respond.mode says block");
      return rule("unsupported", 'telltale runs no program for a probe; see respond.backend = "command"');
    case "KILL_ROUTE":
      return judgeRoute(at, blocks);
    case "KILL_HOSTS_DENY":
      if (!blocks)
        return rule("changed", "nobody is blocked; when you do, the firewall stops more than TCP wrappers");
      if (config.killRoute !== "") return rule("changed", "the firewall alone blocks, and blocks more");
      return rule("honoured", "becomes respond.backend", { key: "respond.backend", value: "hosts-deny" });
    case "SCAN_TRIGGER":
      return rule(
        at.value === "0" ? "honoured" : "changed",
        at.value === "0"
          ? "one touch of a tripwire port is a scan"
          : "a source is judged by how many of its first contacts fail",
      );
    case "IGNORE_FILE":
      return rule("honoured", "its addresses become respond.allow");
    case "ADVANCED_PORTS_TCP":
    case "ADVANCED_PORTS_UDP":
      return rule("changed", "all ports are watched, not only those below a number");
    case "ADVANCED_EXCLUDE_TCP":
    case "ADVANCED_EXCLUDE_UDP": {
      const ports = portsOf(parsePortRanges(at.value) ?? []);
      if (ports === null || ports.length === 0)
        return rule("changed", "ports that are served are never counted");
      const wish: Wish = { key: "sentry.exclude_ports", value: ports };
      return rule("honoured", "becomes sentry.exclude_ports, for TCP and UDP alike", wish);
    }
    case "HISTORY_FILE":
    case "BLOCKED_FILE":
      return rule(
        "changed",
        "the history is kept in store.directory; see telltale blocks and telltale explain",
      );
    case "RESOLVE_HOST":
      if (at.value === "0") return rule("honoured", "names of scanners are not looked up");
      return rule("unsupported", "a scanner chooses what its name says, and learns that it was asked for");
    case "KILL_RUN_CMD":
    case "KILL_RUN_CMD_FIRST":
      return rule(
        "unsupported",
        "no program runs for a probe: its address may be forged, and a flood would start thousands",
      );
    case "PORT_BANNER":
      return rule("unsupported", "telltale listens without opening ports, so it cannot answer");
    default:
      return rule("unsupported", "means nothing to telltale");
  }
}

function judgeRoute(at: At, blocks: boolean): Ruling {
  const backend = /\bnft\b/.test(at.value)
    ? "nftables"
    : /\bip6?tables\b/.test(at.value)
      ? "iptables"
      : /\broute\b/.test(at.value)
        ? "route"
        : null;
  if (!blocks)
    return rule("changed", "nobody is blocked (BLOCK_TCP, BLOCK_UDP); when you do, telltale uses nftables");
  if (backend === null) return rule("unsupported", "is none of nft, iptables and route; see respond.backend");
  return rule("honoured", "becomes respond.backend; blocks end by themselves (respond.block_for)", {
    key: "respond.backend",
    value: backend,
  });
}

// TCP_MODE="atcp" and the like: which of PortSentry's ways of listening Debian's service starts.
function readModes(files: Files, note: Note): void {
  for (const [index, line] of (files.read(MODES) ?? "").split("\n").entries()) {
    const hit = /^\s*(TCP_MODE|UDP_MODE)\s*=\s*"?([^"#]*)"?/.exec(line);
    if (hit === null) continue;
    const at = { file: MODES, line: index + 1, name: hit[1]!, value: hit[2]!.trim() };
    note(
      at,
      "changed",
      "packets are watched on all ports, with none opened; every kind of scan is told apart",
    );
  }
}

function readIgnored(file: string, files: Files, note: Note): void {
  for (const [index, line] of (files.read(file) ?? "").split("\n").entries()) {
    const value = line.replace(/#.*/, "").trim();
    if (value === "") continue;
    const at = { file, line: index + 1, name: "ignore", value };
    const prefix = parsePrefix(value);
    if (prefix === null) note(at, "unsupported", "is no address or network");
    else if (LOOPBACK.test(value)) note(at, "honoured", "this host's own addresses are never blocked");
    else note(at, "honoured", "becomes respond.allow", { key: "respond.allow", value: [value] });
  }
}

function portsOf(ranges: readonly PortRange[]): number[] | null {
  const ports: number[] = [];
  for (const { low, high } of ranges) {
    if (ports.length + high - low >= MAX_TRIPWIRES) return null;
    for (let port = low; port <= high; port++) ports.push(port);
  }
  return ports;
}
