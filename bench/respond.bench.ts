// Locking scanners out beside the peers: what a scanner still learns, and how fast the host falls silent.

import type { Client, Lab } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { blockCases } from "./blocks.cases.ts";
import { readSegments, silenceAfterKth, whatWasLearned } from "./scene/capture.ts";
import { floor } from "./scene/guards/floor.ts";
import { blockingGuards } from "./scene/guards.ts";
import { OPEN_PORTS } from "./scene/ports.ts";
import { endCapture, play, type Scene, sceneCase, startCapture } from "./scene/stage.ts";
import { type Bench, type Case, CPU, type Goal, type Metric, PSS, type Sample } from "./types.ts";

// telltale's sequential test needs four failed first contacts; the oracle is given the same number.
const DECISION_AT = 4;
const SCAN_LIMIT_MS = 15_000;
const QUIET_MS = 3_000;

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
  PSS,
  { key: "lost", title: "packets lost", unit: "count", better: "less" },
];

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

async function scan({ lab, stranger, cost }: Scene, wanted: Scan): Promise<Sample> {
  const capture = await startCapture(lab, stranger);
  const scanner = lab.start("stranger", wanted.argv(lab, stranger));
  scanner.stdout!.resume();
  scanner.stderr!.resume();
  // A scanner that is locked out goes on for hours: once nothing new has answered for a while, all is known.
  let answers = -1;
  let since = performance.now();
  const answersSeen = () =>
    whatWasLearned(readSegments(capture.path, stranger.host4), open, DECISION_AT).answered;
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
  const learned = whatWasLearned(readSegments(capture.path, stranger.host4), open, DECISION_AT);
  return { ...learned, beyond: Math.max(0, learned.learned - learned.oracle), ...spent };
}

function scanCase(wanted: Scan): Case {
  return sceneCase({
    name: wanted.name,
    what: `${wanted.what} Twenty of the host's ports are open, eleven popular ones among them.`,
    metrics: SCAN_METRICS,
    goals: wanted.goals,
    tool: wanted.tool,
    withNone: true,
    guards: [...blockingGuards(""), floor(DECISION_AT)],
    limit: {
      name: "the oracle",
      command: `nothing # what had answered when the ${DECISION_AT}th closed port was asked for`,
      work: async (scene) => {
        const { oracle = 0 } = await scan(scene, wanted);
        return { answered: oracle + DECISION_AT - 1, learned: oracle, oracle, beyond: 0, afterKthMs: 0 };
      },
    },
    work: (scene) => scan(scene, wanted),
  });
}

const SOURCES = 100;
const PROBES = 100;
const PROBE_EVERY_US = 200;

// One source after the other, each with an address of its own behind the stranger; the guard meets each for the first time.
async function latency({ lab, stranger, cost }: Scene): Promise<Sample> {
  lab.run("host", ["ip", "route", "add", "203.0.113.0/24", "via", stranger.v4]);
  const capture = await startCapture(lab, stranger);
  // hping3 waits for answers when it has sent everything: the next one need not wait for that.
  const each =
    'n=1; while [ $n -le "$1" ]; do timeout 1 hping3 -q -n -S -c "$2" -i "u$3" -a "203.0.113.$n" -p ++20001 "$4" & n=$((n+1)); sleep 0.06; done; wait';
  const numbers = [SOURCES, PROBES, PROBE_EVERY_US].map(String);
  await play(lab, "stranger", ["sh", "-c", each, "sh", ...numbers, stranger.host4], 120_000);
  const spent = cost();
  await endCapture(capture);
  const silences = silenceAfterKth(readSegments(capture.path, stranger.host4), DECISION_AT).sort(
    (a, b) => a - b,
  );
  const at = (share: number) => silences[Math.min(silences.length - 1, Math.floor(silences.length * share))]!;
  return { medianMs: at(0.5), p99Ms: at(0.99), worstMs: at(1), ...spent };
}

function latencyCase(): Case {
  const sendingMs = (PROBES * PROBE_EVERY_US) / 1_000;
  return sceneCase({
    name: "latency",
    what: `${SOURCES} sources one after the other, each with a SYN every ${PROBE_EVERY_US} µs to ${PROBES} closed ports: from the ${DECISION_AT}th port to the last answer. About ${sendingMs} ms means that the source was not blocked in time.`,
    metrics: [
      { key: "medianMs", title: "median", unit: "ms", better: "less" },
      { key: "p99Ms", title: "p99", unit: "ms", better: "less" },
      { key: "worstMs", title: "worst", unit: "ms", better: "less" },
      CPU,
      PSS,
    ],
    goals: [
      { metric: "medianMs", atMost: 1 },
      { metric: "p99Ms", atMost: 5 },
    ],
    tool: "hping3",
    guards: [...blockingGuards("max_blocks_per_minute = 10000"), floor(DECISION_AT)],
    work: latency,
  });
}

export const respondBench: Bench = {
  name: "respond",
  title: "Locking scanners out",
  about: `A host and a stranger in network namespaces. What the scanner learned is read from a capture at its own end, in the
same way for every guard. The limit is an oracle that waits for the ${DECISION_AT}th closed port, as telltale does in user space, and is
heard at once: what was asked for until then is answered. The kernel's tripwire may act at the third, and PortSentry at the
first.`,
  packages: [
    ...[
      "nmap",
      "masscan",
      "hping3",
      "portsentry",
      "psad",
      "fail2ban",
      "crowdsec",
      "crowdsec-firewall-bouncer",
    ],
    ...["ulogd2", "iptables", "nftables"],
  ],
  cases: (scale) => [...SCANS.map(scanCase), latencyCase(), ...blockCases(scale)],
};
