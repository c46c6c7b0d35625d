// Watching for scans beside the peers: what a guard costs while ordinary visitors come, and while it rains packets.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../tests/system/wait.ts";
import { type Scene, sceneCase } from "./scene/stage.ts";
import { type Bench, type Case, type Goal, type Metric, RSS, type Sample } from "./types.ts";

const FLOOD_MS = 3_000;
const VISIT_MS = 5_000;
const CATCH_UP_MS = 30_000;

const LOST: Metric = { key: "lost", title: "packets lost", unit: "count", better: "less" };
const SENT: Metric = { key: "sent", title: "packets sent", unit: "count", better: "neither" };

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
      { metric: "packetUs", atMost: 0.5 },
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
  return sceneCase({
    name: wanted.name,
    what: wanted.what,
    metrics: [
      { key: "packetUs", title: "CPU for a packet", unit: "µs", better: "less" },
      { key: "core", title: "CPU of one core", unit: "%", better: "less" },
      { key: "afterMs", title: "CPU afterwards, until quiet", unit: "ms", better: "less" },
      RSS,
      LOST,
      SENT,
    ],
    goals: wanted.goals,
    tool: "hping3",
    work: (scene) => flood(scene, wanted),
  });
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
  const afterwards = await untilQuiet(cost);
  const afterMs = (afterwards["cpuMs"] ?? 0) - (atEnd["cpuMs"] ?? 0);
  const packetUs = (1_000 * (cpuMs + afterMs)) / sent;
  return { ...afterwards, packetUs, core: (cpuMs / tookMs) * 100, afterMs, sent };
}

// Who reads logs goes on long after the last packet, in rounds of five seconds.
async function untilQuiet(cost: () => Sample): Promise<Sample> {
  const end = performance.now() + CATCH_UP_MS;
  let last = cost();
  while (performance.now() < end) {
    await pause(6_000);
    const now = cost();
    if ((now["cpuMs"] ?? 0) - (last["cpuMs"] ?? 0) < 100) return now;
    last = now;
  }
  return last;
}

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
  return sceneCase({
    name: "visitors",
    what: `Ordinary traffic: connections to an open port, as many as one client can make in ${VISIT_MS / 1_000} s.`,
    metrics: [
      { key: "core", title: "CPU of one core", unit: "%", better: "less" },
      { key: "connections", title: "connections", unit: "count", better: "neither" },
      RSS,
      LOST,
    ],
    goals: [{ metric: "core", atMost: 1 }],
    tool: null,
    work: visitors,
  });
}

export const sentryBench: Bench = {
  name: "sentry",
  title: "Watching for scans",
  about: `A host with twenty services and one client in network namespaces; CPU time is the guard's own, as the kernel
accounts for it. The limit is what the generator sends on the cores that it shares with the guard: the table says how
much that was.`,
  packages: [
    ...["hping3", "portsentry", "psad", "fail2ban", "crowdsec", "crowdsec-firewall-bouncer", "ulogd2"],
    ...["iptables", "nftables"],
  ],
  cases: () => [visitorsCase(), ...FLOODS.map(floodCase)],
};
