// Locking scanners out beside the peers: what a scanner still learns, how fast the host falls silent, and what a flood
// costs the guard. Everything happens in network namespaces of the bench's own.
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, type Lab, labObstacle, makeLab } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { missing } from "./machine.ts";
import { makeChance } from "./material/chance.ts";
import { readSegments, silenceAfterKth, whatWasLearned } from "./scene/capture.ts";
import { allGuards, type Guard } from "./scene/guards.ts";
import {
  type Bench,
  type Case,
  type Contender,
  CPU,
  type Goal,
  type Metric,
  RSS,
  type Sample,
} from "./types.ts";

const EXAMPLE = join(import.meta.dirname, "../docs/telltale.toml.example");
const HAS_TRIPWIRE = /^# kernel = /m.test(existsSync(EXAMPLE) ? readFileSync(EXAMPLE, "utf8") : "");
// telltale's sequential test needs four failed first contacts; the oracle is given the same number.
const DECISION_AT = 4;
const SCAN_LIMIT_MS = 15_000;
const QUIET_MS = 3_000;
const FLOOD_MS = 3_000;

const POPULAR = [21, 22, 25, 53, 80, 110, 143, 443, 993, 3306, 8080];
const OPEN_PORTS = scattered(POPULAR, 20);

const ANSWERED: Metric = { key: "answered", title: "ports that answered", unit: "count", better: "less" };
const SCAN_METRICS: readonly Metric[] = [
  ANSWERED,
  { key: "learned", title: "open ports learned, of 20", unit: "count", better: "less" },
  {
    key: "oracle",
    title: `open ports probed before the ${DECISION_AT}th closed one`,
    unit: "count",
    better: "neither",
  },
  { key: "beyond", title: "learned beyond that", unit: "count", better: "less" },
  { key: "untilSilentMs", title: "first probe to last answer", unit: "ms", better: "less" },
  { key: "afterKthMs", title: `${DECISION_AT}th closed port to last answer`, unit: "ms", better: "less" },
  CPU,
  RSS,
];
const LOST: Metric = { key: "lost", title: "packets lost", unit: "count", better: "less" };
const SENT: Metric = { key: "sent", title: "packets sent", unit: "count", better: "neither" };

function scattered(popular: readonly number[], count: number): number[] {
  const chance = makeChance(7);
  const ports = new Set(popular);
  while (ports.size < count) ports.add(1_024 + chance.below(64_000));
  return [...ports].sort((a, b) => a - b);
}

type Scan = {
  readonly name: string;
  readonly what: string;
  readonly tool: string;
  argv(lab: Lab, stranger: Client): readonly string[];
  readonly goals: readonly Goal[];
};

const NMAP = ["nmap", "-sS", "-Pn", "-n", "-T4", "--max-retries", "1"];
const SCANS: readonly Scan[] = [
  {
    name: "nmap-all-ports",
    what: "nmap -sS -T4 -p-: every port, the popular ones first.",
    tool: "nmap",
    argv: (_, { host4 }) => [...NMAP, "-p-", host4],
    goals: [
      { metric: "answered", atMost: 40 },
      { metric: "beyond", atMost: 0 },
      { metric: "answered", over: "PortSentry", ratioAtLeast: 1 },
    ],
  },
  {
    name: "nmap-top-1000",
    what: "nmap -sS -T4: the thousand most popular ports.",
    tool: "nmap",
    argv: (_, { host4 }) => [...NMAP, host4],
    goals: [
      { metric: "answered", atMost: 40 },
      { metric: "beyond", atMost: 0 },
      { metric: "answered", over: "PortSentry", ratioAtLeast: 1 },
    ],
  },
  {
    name: "masscan",
    what: "masscan at 10,000 packets a second: every port in random order.",
    tool: "masscan",
    argv: (lab, { host4, v4 }) => [
      "masscan",
      host4,
      "-p1-65535",
      "--rate=10000",
      "--wait=1",
      "--interface=eth0",
      `--source-ip=${v4}`,
      `--router-mac=${hostMac(lab)}`,
    ],
    goals: [
      { metric: "answered", atMost: 40 },
      { metric: "beyond", atMost: 0 },
      { metric: "answered", over: "PortSentry", ratioAtLeast: 1 },
    ],
  },
];

const hostMac = (lab: Lab): string => lab.run("host", ["cat", "/sys/class/net/v0/address"]).stdout.trim();

function obstacleFor(tool: string): string | null {
  return labObstacle("tcpdump") ?? missing(tool, tool);
}

// A host with twenty services, one stranger, and a guard at its post; gone when the work is done.
async function inScene<T>(guard: Guard, work: (scene: Scene) => Promise<T>): Promise<T> {
  using lab = makeLab(["stranger"]);
  const ports = OPEN_PORTS.map(String);
  const services = lab.start("host", [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, "scene/open-ports.ts"),
    ...ports,
  ]);
  await says(services, services.stdout!, "ready");
  const standing = await guard.start(lab);
  return await work({ lab, stranger: lab.clients[0]!, cost: standing.cost });
}

type Scene = { readonly lab: Lab; readonly stranger: Client; cost(): Sample };

function says(child: ChildProcess, stream: NodeJS.ReadableStream, word: string): Promise<true> {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return waitFor(`${child.spawnargs.slice(4).join(" ")} to say "${word}"`, () => text.includes(word));
}

async function scan({ lab, stranger, cost }: Scene, wanted: Scan): Promise<Sample> {
  const { path, capture } = await startCapture(lab, stranger);
  const scanner = lab.start("stranger", wanted.argv(lab, stranger));
  scanner.stdout!.resume();
  scanner.stderr!.resume();
  // A scanner that is locked out goes on for hours: once nothing new has answered for a while, all is known.
  let answers = -1;
  let since = performance.now();
  const answersSeen = () => whatWasLearned(readSegments(path, stranger.host4), open, DECISION_AT).answered;
  const open = new Set(OPEN_PORTS);
  const began = performance.now();
  await waitFor(
    `${wanted.tool} to learn what it can`,
    () => {
      if (scanner.exitCode !== null || performance.now() - began > SCAN_LIMIT_MS) return true;
      if (performance.now() - since < 500) return false;
      const now = answersSeen();
      if (now !== answers) {
        answers = now;
        since = performance.now();
      }
      return answers > 0 && performance.now() - since > QUIET_MS;
    },
    10 * SCAN_LIMIT_MS,
  );
  const spent = cost();
  scanner.kill("SIGKILL");
  await endCapture(capture);
  const learned = whatWasLearned(readSegments(path, stranger.host4), open, DECISION_AT);
  return { ...learned, beyond: Math.max(0, learned.learned - learned.oracle), ...spent };
}

async function startCapture(lab: Lab, stranger: Client): Promise<{ path: string; capture: ChildProcess }> {
  const path = join(lab.dir, "scan.pcap");
  const capture = lab.start("stranger", [
    "tcpdump",
    ...["-i", "eth0", "-n", "-p", "-U", "-s", "96", "-B", "65536", "-w", path],
    ...["tcp", "and", "host", stranger.host4],
  ]);
  await says(capture, capture.stderr!, "listening on");
  return { path, capture };
}

async function endCapture(capture: ChildProcess): Promise<void> {
  capture.kill("SIGINT");
  await waitFor("tcpdump to end", () => capture.exitCode !== null);
}

function scanCase(wanted: Scan): Case {
  return {
    name: wanted.name,
    what: `${wanted.what} Twenty of the host's ports are open, eleven popular ones among them.`,
    metrics: SCAN_METRICS,
    goals: wanted.goals,
    open: () => ({
      contenders: allGuards(HAS_TRIPWIRE, "").map(
        (guard): Contender => ({
          name: guard.name,
          role: guard.role,
          command: guard.command,
          obstacle: obstacleFor(wanted.tool) ?? guard.obstacle,
          isAlwaysCold: true,
          run: () => inScene(guard, (scene) => scan(scene, wanted)),
        }),
      ),
      [Symbol.dispose]: () => {},
    }),
  };
}

type Flood = {
  readonly name: string;
  readonly what: string;
  readonly argv: readonly string[];
  readonly goals: readonly Goal[];
};

const HPING = ["hping3", "-q", "-n", "--flood", "-S"];
const FLOODS: readonly Flood[] = [
  {
    name: "flood-from-one",
    what: "hping3 --flood -S over rising ports from one source, three seconds.",
    argv: [...HPING, "-p", "++1"],
    goals: [
      { metric: "lost", atMost: 0 },
      { metric: "rssMb", atMost: 120 },
    ],
  },
  {
    name: "flood-from-many",
    what: "hping3 --flood -S from forged sources, three seconds.",
    argv: [...HPING, "-p", "++1", "--rand-source"],
    goals: [
      { metric: "rssMb", atMost: 120 },
      { metric: "core", atMost: 20 },
    ],
  },
];

function floodCase(wanted: Flood): Case {
  return {
    name: wanted.name,
    what: wanted.what,
    metrics: [{ key: "core", title: "CPU of one core", unit: "%", better: "less" }, RSS, LOST, SENT],
    goals: wanted.goals,
    open: () => ({
      contenders: guards("").map(
        (guard): Contender => ({
          name: guard.name,
          role: guard.role,
          command: guard.command,
          obstacle: obstacleFor("hping3") ?? guard.obstacle,
          isAlwaysCold: true,
          run: () => inScene(guard, (scene) => flood(scene, wanted)),
        }),
      ),
      [Symbol.dispose]: () => {},
    }),
  };
}

async function flood({ lab, stranger, cost }: Scene, wanted: Flood): Promise<Sample> {
  const atStart = cost();
  const began = performance.now();
  const storm = lab.start("stranger", ["timeout", String(FLOOD_MS / 1_000), ...wanted.argv, stranger.host4]);
  storm.stdout!.resume();
  storm.stderr!.resume();
  await waitFor("the flood to end", () => storm.exitCode !== null || storm.signalCode !== null, 60_000);
  const tookMs = performance.now() - began;
  const atEnd = cost();
  const sent = Number(
    lab.run("stranger", ["cat", "/sys/class/net/eth0/statistics/tx_packets"]).stdout.trim(),
  );
  const cpuMs = (atEnd["cpuMs"] ?? 0) - (atStart["cpuMs"] ?? 0);
  return { ...atEnd, cpuMs, core: (cpuMs / tookMs) * 100, sent };
}

const SOURCES = 100;
const PROBES = 100;
const PROBE_EVERY_US = 200;

// One source after the other, each with an address of its own behind the stranger; the guard meets each for the first time.
async function latency({ lab, stranger, cost }: Scene): Promise<Sample> {
  lab.run("host", ["ip", "route", "add", "203.0.113.0/24", "via", stranger.v4]);
  const { path, capture } = await startCapture(lab, stranger);
  // hping3 waits for answers when it has sent everything: the next one need not wait for that.
  const each =
    'n=1; while [ $n -le "$1" ]; do timeout 1 hping3 -q -n -S -c "$2" -i "u$3" -a "203.0.113.$n" -p ++20001 "$4" & n=$((n+1)); sleep 0.06; done; wait';
  const numbers = [SOURCES, PROBES, PROBE_EVERY_US].map(String);
  lab.run("stranger", ["sh", "-c", each, "sh", ...numbers, stranger.host4]);
  const spent = cost();
  await endCapture(capture);
  const silences = silenceAfterKth(readSegments(path, stranger.host4), DECISION_AT).sort((a, b) => a - b);
  const at = (share: number) => silences[Math.min(silences.length - 1, Math.floor(silences.length * share))]!;
  return { medianMs: at(0.5), p99Ms: at(0.99), worstMs: at(1), ...spent };
}

function latencyCase(): Case {
  const sendingMs = (PROBES * PROBE_EVERY_US) / 1_000;
  return {
    name: "latency",
    what: `${SOURCES} sources one after the other, each with a SYN every ${PROBE_EVERY_US} µs to ${PROBES} closed ports: from the ${DECISION_AT}th port to the last answer. About ${sendingMs} ms means that the source was not blocked in time.`,
    metrics: [
      { key: "medianMs", title: "median", unit: "ms", better: "less" },
      { key: "p99Ms", title: "p99", unit: "ms", better: "less" },
      { key: "worstMs", title: "worst", unit: "ms", better: "less" },
      CPU,
      RSS,
    ],
    goals: [
      { metric: "medianMs", atMost: 1 },
      { metric: "p99Ms", atMost: 5 },
    ],
    open: () => ({
      contenders: guards("max_blocks_per_minute = 10000").map(
        (guard): Contender => ({
          name: guard.name,
          role: guard.role,
          command: guard.command,
          obstacle: obstacleFor("hping3") ?? guard.obstacle,
          isAlwaysCold: true,
          run: () => inScene(guard, latency),
        }),
      ),
      [Symbol.dispose]: () => {},
    }),
  };
}

const VISIT_MS = 5_000;

async function visitors({ lab, stranger, cost }: Scene): Promise<Sample> {
  const atStart = cost();
  const began = performance.now();
  const script = join(import.meta.dirname, "scene/visitors.ts");
  const visit = lab.run("stranger", [
    ...[process.execPath, "--disable-warning=ExperimentalWarning", script],
    ...[stranger.host4, "80", String(VISIT_MS)],
  ]);
  const tookMs = performance.now() - began;
  const atEnd = cost();
  const connections = Number(visit.stdout);
  const cpuMs = (atEnd["cpuMs"] ?? 0) - (atStart["cpuMs"] ?? 0);
  return { ...atEnd, core: (cpuMs / tookMs) * 100, connections };
}

function visitorsCase(): Case {
  return {
    name: "visitors",
    what: `Ordinary traffic: connections to an open port, as many as one client can make in ${VISIT_MS / 1_000} s.`,
    metrics: [
      { key: "core", title: "CPU of one core", unit: "%", better: "less" },
      { key: "connections", title: "connections", unit: "count", better: "neither" },
      RSS,
      LOST,
    ],
    goals: [{ metric: "core", atMost: 1 }],
    open: () => ({
      contenders: guards("").map(
        (guard): Contender => ({
          name: guard.name,
          role: guard.role,
          command: guard.command,
          obstacle: labObstacle() ?? guard.obstacle,
          isAlwaysCold: true,
          run: () => inScene(guard, visitors),
        }),
      ),
      [Symbol.dispose]: () => {},
    }),
  };
}

// Every guard; "no guard" only where doing nothing says something.
const guards = (settings: string): Guard[] =>
  allGuards(HAS_TRIPWIRE, settings).filter(({ name }) => name !== "no guard");

export const respondBench: Bench = {
  name: "respond",
  title: "Locking scanners out",
  about: `A host and a stranger in network namespaces. What the scanner learned is read from a capture at its own end, in the
same way for every guard. The limit is the oracle: open ports that were probed before the ${DECISION_AT}th closed one, which no
guard with that threshold can withhold. For floods the limit is what hping3 sends on the cores that it shares with
the guard.`,
  packages: ["nmap", "masscan", "hping3", "portsentry", "iptables", "nftables"],
  cases: () => [...SCANS.map(scanCase), latencyCase(), visitorsCase(), ...FLOODS.map(floodCase)],
};
