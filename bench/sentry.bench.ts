// Watching for scans beside the peers: what a guard costs while ordinary visitors come, and while it rains packets.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../tests/system/wait.ts";
import { readArrivals } from "./scene/arrivals.ts";
import { floorThatTells } from "./scene/guards/floor.ts";
import { portsentry } from "./scene/guards/portsentry.ts";
import { scanlogd } from "./scene/guards/scanlogd.ts";
import { ourGuards } from "./scene/guards.ts";
import { PATIENT_PORT } from "./scene/ports.ts";
import { endCapture, play, type Scene, sceneCase, startCapture } from "./scene/stage.ts";
import { type Bench, type Case, type Goal, type Metric, PSS, type Sample } from "./types.ts";

const FLOOD_MS = 3_000;
const VISIT_MS = 5_000;
const CATCH_UP_MS = 30_000;
const LAST_WORD_MS = 1_000;

const LOST: Metric = { key: "lost", title: "packets lost", unit: "count", better: "less" };
const SENT: Metric = { key: "sent", title: "packets sent", unit: "count", better: "neither" };
const SENDING: Metric = { key: "sentPerSecond", title: "packets a second", unit: "/s", better: "neither" };
const CORE: Metric = { key: "core", title: "CPU of one core", unit: "%", better: "less" };

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
      { metric: "pssMb", atMost: 120 },
    ],
  },
  {
    name: "flood-from-many",
    what: "hping3 --flood -S from forged sources, three seconds.",
    argv: [...HPING, "-p", "++1", "--rand-source"],
    goals: [
      { metric: "pssMb", atMost: 120 },
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
      CORE,
      { key: "afterMs", title: "CPU afterwards, until quiet", unit: "ms", better: "less" },
      PSS,
      LOST,
      SENDING,
      SENT,
    ],
    goals: wanted.goals,
    tool: "hping3",
    limit: {
      name: "no guard",
      command: "nothing # what the generator sends when it has the cores for itself",
      work: async (scene) => {
        const { sent = 0, sentPerSecond = 0 } = await flood(scene, wanted);
        return { sent, sentPerSecond };
      },
    },
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
  const sentPerSecond = (sent / tookMs) * 1_000;
  return { ...afterwards, packetUs, core: (cpuMs / tookMs) * 100, afterMs, sent, sentPerSecond };
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

/** Traffic that is nobody's fault, and what it costs to have a guard beside it. */
type Ordinary = {
  readonly name: string;
  readonly what: string;
  /** Plays the visitors: host, port, milliseconds; prints how much came through. */
  readonly script: string;
  readonly port: number;
  readonly through: Metric;
};

const ORDINARY: readonly Ordinary[] = [
  {
    name: "visitors",
    what: `Ordinary traffic: connections to an open port, as many as one client can make in ${VISIT_MS / 1_000} s.`,
    script: "visitors.ts",
    port: 80,
    through: { key: "connections", title: "connections", unit: "count", better: "neither" },
  },
  {
    name: "bulk",
    what: `Ordinary traffic: one connection, and as much over it as goes in ${VISIT_MS / 1_000} s.`,
    script: "bulk.ts",
    port: PATIENT_PORT,
    through: { key: "broughtMb", title: "brought over", unit: "MB", better: "neither" },
  },
];

async function visit({ lab, stranger, cost }: Scene, { script, port, through }: Ordinary): Promise<Sample> {
  const atStart = cost();
  const began = performance.now();
  const path = join(import.meta.dirname, "scene", script);
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", path];
  const argv = [...node, stranger.host4, String(port), String(VISIT_MS)];
  const served = await play(lab, "stranger", argv, 10 * VISIT_MS);
  const tookMs = performance.now() - began;
  const atEnd = cost();
  const cpuMs = (atEnd["cpuMs"] ?? 0) - (atStart["cpuMs"] ?? 0);
  return { ...atEnd, core: (cpuMs / tookMs) * 100, [through.key]: Number(served) };
}

function ordinaryCase(wanted: Ordinary): Case {
  const { key } = wanted.through;
  return sceneCase({
    name: wanted.name,
    what: wanted.what,
    metrics: [{ ...CORE, step: 1_000 / VISIT_MS }, wanted.through, PSS, LOST],
    goals: [{ metric: "core", atMost: 1 }],
    tool: null,
    limit: {
      name: "no guard",
      command: "nothing # what the visitors do when nobody looks",
      work: async (scene) => ({ [key]: (await visit(scene, wanted))[key] ?? 0 }),
    },
    work: (scene) => visit(scene, wanted),
  });
}

const FIRST_SOURCE = 1;
const ALARM_SOURCES = 30;
const ALARM_PROBES = 30;
// scanlogd falls silent after five in 20 s, and is started anew before each handful.
const A_HANDFUL = 5;

// Probes 40 ms apart, so that there is no doubt which of them gave the scanner away: the last before the alarm.
async function wireToAlarm({ lab, stranger, alarms, renew }: Scene): Promise<Sample> {
  lab.run("host", ["ip", "route", "add", "203.0.113.0/24", "via", stranger.v4]);
  const capture = await startCapture(lab, stranger, ["dst", "host", stranger.host4]);
  const source = (n: number) => `203.0.113.${n}`;
  for (let n = FIRST_SOURCE; n < FIRST_SOURCE + ALARM_SOURCES; n += A_HANDFUL) {
    await renew?.();
    for (let k = 0; k < A_HANDFUL; k++) {
      const argv = ["-q", "-n", "-S", "-c", String(ALARM_PROBES), "-i", "u40000", "-a", source(n + k)];
      await play(lab, "stranger", ["timeout", "2", "hping3", ...argv, "-p", "++101", stranger.host4], 20_000);
    }
  }
  await pause(LAST_WORD_MS);
  await endCapture(capture);
  const arrivals = readArrivals(capture.path);
  const heard = alarms();
  const tookMs: number[] = [];
  for (let n = FIRST_SOURCE; n < FIRST_SOURCE + ALARM_SOURCES; n++) {
    const atMs = Math.min(
      ...heard.filter((alarm) => alarm.source === source(n)).map((alarm) => alarm.heardMs),
    );
    const before = arrivals.filter((arrival) => arrival.source === source(n) && arrival.atMs <= atMs).at(-1);
    if (Number.isFinite(atMs) && before !== undefined) tookMs.push(atMs - before.atMs);
  }
  tookMs.sort((a, b) => a - b);
  const sample: Record<string, number> = { noticed: tookMs.length };
  if (tookMs.length > 0) {
    sample["medianMs"] = tookMs[tookMs.length >> 1]!;
    sample["worstMs"] = tookMs.at(-1)!;
  }
  return sample;
}

function wireToAlarmCase(): Case {
  return sceneCase({
    name: "wire-to-alarm",
    what: `${ALARM_SOURCES} scanners one after the other, a port every 40 ms: from the packet on the wire until a reader has the guard's words: a line of JSON for telltale, syslog for the others. The reader is the same program for all, in C.`,
    metrics: [
      { key: "medianMs", title: "median", unit: "ms", better: "less" },
      { key: "worstMs", title: "worst", unit: "ms", better: "less" },
      { key: "noticed", title: `noticed, of ${ALARM_SOURCES}`, unit: "count", better: "more" },
    ],
    goals: [
      { metric: "medianMs", atMost: 0.5 },
      { metric: "worstMs", atMost: 2 },
    ],
    tool: "hping3",
    guards: [...ourGuards("", true), portsentry("PortSentry", ["-atcp"]), scanlogd, floorThatTells(4)],
    work: wireToAlarm,
  });
}

export const sentryBench: Bench = {
  name: "sentry",
  title: "Watching for scans",
  about: `A host with twenty services and one client in network namespaces; CPU time is the guard's own, as the kernel
accounts for it. The limit of a flood is what its generator sends to a host without a guard; it shares the cores with the
guard, so that each row says how much was sent while that guard watched.`,
  packages: [
    ...["hping3", "portsentry", "psad", "fail2ban", "crowdsec", "crowdsec-firewall-bouncer", "ulogd2"],
    ...["iptables", "nftables"],
  ],
  cases: () => [wireToAlarmCase(), ...ORDINARY.map(ordinaryCase), ...FLOODS.map(floodCase)],
};
