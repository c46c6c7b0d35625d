// Which scans each guard notices, after how many ports, and whom it takes for a scanner who is none. One guard stands
// through all scans of a run; each comes from an address of its own.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Client, Lab } from "../tests/system/lab.ts";
import { labObstacle } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { LAST_WORD_MS, ORDINARY, type Ordinary, ordinary } from "./detection-ordinary.ts";
import { detectionRows } from "./detection-table.ts";
import { missing } from "./machine.ts";
import { type Arrival, isUnused, readArrivals, untilUnused, whenNoticed } from "./scene/arrivals.ts";
import type { Alarm, Guard } from "./scene/guards/types.ts";
import { unguarded, watchingGuards } from "./scene/guards.ts";
import { OPEN_PORTS } from "./scene/ports.ts";
import { type Ground, SCANS, SCANS_IN_ORDER, type ScanKind } from "./scene/scans.ts";
import { endCapture, inScene, must, play, type Scene, startCapture } from "./scene/stage.ts";
import type { Bench, Case, Contender, Metric, Sample } from "./types.ts";

const LIMIT_MINUTES = 6;
// Whoever tries two wrong ports is mistaken, whoever tries a third is told from nobody else: the kernel's threshold. One
// packet that no stack sends needs no second.
const oracleAt = ({ isImpossible }: ScanKind): number => (isImpossible ? 1 : 3);

const firstAlarm = (alarms: readonly Pick<Alarm, "source" | "atMs">[], source: string): number | null => {
  const times = alarms.filter((alarm) => alarm.source === source).map(({ atMs }) => atMs);
  return times.length === 0 ? null : Math.min(...times);
};

// An alarm about a whole IPv6 network is one about everybody in it.
const canonical = (source: string): string =>
  source.includes(":")
    ? source
        .split("::")[0]!
        .split(":")
        .slice(0, 4)
        .map((word) => Number.parseInt(word, 16).toString(16))
        .join(":")
    : source;

/** What came through every guard's firewall: ports of each source, counted behind it. */
const COUNTER = `table inet bench {
  set ports4 { type ipv4_addr . inet_proto . inet_service; flags dynamic; size 262144; }
  set ports6 { type ipv6_addr . inet_proto . inet_service; flags dynamic; size 262144; }
  set protocols4 { type ipv4_addr . inet_proto; flags dynamic; size 262144; }
  chain in {
    type filter hook input priority 1000;
    meta l4proto { tcp, udp, sctp } update @ports4 { ip saddr . meta l4proto . th dport }
    meta l4proto { tcp, udp, sctp } update @ports6 { ip6 saddr . meta l4proto . th dport }
    meta l4proto != { tcp, udp, sctp } update @protocols4 { ip saddr . meta l4proto }
  }
}`;

function cameThrough(lab: Lab): Map<string, number> {
  const found = new Map<string, number>();
  for (const set of ["ports4", "ports6", "protocols4"]) {
    const listed = lab.run("host", ["nft", "-j", "list", "set", "inet", "bench", set]).stdout;
    type Listed = {
      nftables: { set?: { elem?: ({ concat: string[] } | { elem: { val: { concat: string[] } } })[] } }[];
    };
    for (const { set: held } of (JSON.parse(listed) as Listed).nftables) {
      for (const one of held?.elem ?? []) {
        const source = canonical(("concat" in one ? one.concat : one.elem.val.concat)[0]!);
        found.set(source, (found.get(source) ?? 0) + 1);
      }
    }
  }
  return found;
}

const scanAddress = (index: number) => ({ v4: `203.0.113.${index + 1}`, v6: `2001:db8:77:${index + 1}::1` });

async function prepare(lab: Lab): Promise<{ stranger: Client; zombie: Client; hostMac: string }> {
  const [stranger, zombie] = lab.clients as [Client, Client];
  // The host is its own router here, and lets through what bears its own address: the idle scan needs a third party.
  for (const link of ["all", "v0", "v1"])
    for (const key of ["rp_filter=0", "accept_local=1"])
      must(lab, "host", "sysctl", "-qw", `net.ipv4.conf.${link}.${key}`);
  must(lab, "host", "sysctl", "-qw", "net.ipv4.ip_forward=1");
  must(lab, "host", "ip", "route", "add", "203.0.113.0/24", "via", stranger.v4);
  must(lab, "host", "ip", "-6", "route", "add", "2001:db8:77::/48", "via", stranger.v6);
  const own = SCANS.flatMap((_, index) => {
    const { v4, v6 } = scanAddress(index);
    return [`addr add ${v4}/32 dev eth0`, `addr add ${v6}/128 dev eth0 nodad`];
  });
  must(lab, "stranger", "sh", "-c", `printf '%s\\n' "$@" | ip -batch -`, "sh", ...own);
  must(
    lab,
    "zombie",
    "nft",
    "table ip t { chain o { type filter hook output priority 0; ip id 0 tcp flags rst drop; }; }",
  );
  const idle = lab.start("zombie", ["python3", join(import.meta.dirname, "scene/zombie.py")]);
  let said = "";
  idle.stdout!.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await waitFor("the zombie", () => said.includes("ready"));
  must(lab, "host", "nft", COUNTER);
  const hostMac = lab.run("host", ["cat", "/sys/class/net/v0/address"]).stdout.trim();
  return { stranger, zombie, hostMac };
}

/** What came of the scans: of the guard, and of one that had spoken at the very packet that gives each of them away. */
type Outcome = { readonly sample: Sample; readonly oracle: Sample };

async function scans(
  { lab, alarms, renew }: Scene,
  blocks: boolean,
  wanted: readonly ScanKind[],
): Promise<Outcome> {
  const ground = await prepare(lab);
  const capture = await startCapture(lab, ground.stranger, [
    ...["dst", "host", ground.stranger.host4, "or", "dst", "host", ground.stranger.host6],
  ]);
  const grounds = new Map<ScanKind, Ground>(
    wanted.map((scan) => [scan, { ...ground, ...scanAddress(SCANS.indexOf(scan)) }]),
  );
  const inBackground: Promise<string>[] = [];
  for (const scan of wanted) {
    const argv = scan.argv(grounds.get(scan)!);
    if (scan.slowSeconds === undefined) {
      await renew?.();
      await play(lab, "stranger", argv, 40_000);
    } else inBackground.push(play(lab, "stranger", argv, (scan.slowSeconds + 20) * 1_000));
  }
  await Promise.all(inBackground);
  await pause(LAST_WORD_MS);
  await endCapture(capture);
  const heard = alarms().map(({ source, atMs }) => ({ source: canonical(source), atMs }));
  const through = cameThrough(lab);
  const arrivals = Map.groupBy(readArrivals(capture.path), ({ source }) => canonical(source));
  const sample: Record<string, number> = {};
  const oracle: Record<string, number> = {};
  for (const scan of wanted) {
    const its = grounds.get(scan)!;
    const source = canonical(scan.source?.(its) ?? its.v4);
    const noticed = whenNoticed(arrivals.get(source) ?? ([] as Arrival[]), firstAlarm(heard, source));
    sample[`${scan.id} sent`] = noticed.sent;
    sample[`${scan.id} noticed`] = noticed.until === null ? 0 : 1;
    const unusedOf = (until: number): number =>
      noticed.order.slice(0, until).filter((what) => isUnused(what, OPEN_PORTS)).length;
    const k = oracleAt(scan);
    const at = scan.isImpossible ? k : untilUnused(noticed.order, OPEN_PORTS, k);
    Object.assign(oracle, { [`${scan.id} sent`]: noticed.sent, [`${scan.id} noticed`]: 1 });
    Object.assign(oracle, { [`${scan.id} until`]: at, [`${scan.id} unused`]: unusedOf(at) });
    const passed = blocks ? (through.get(source) ?? 0) : noticed.sent;
    if (noticed.until !== null) {
      // What the firewall no longer let in had been noticed, even if the word of it came later.
      const until = Math.min(noticed.until, passed + 1);
      sample[`${scan.id} until`] = until;
      sample[`${scan.id} unused`] = unusedOf(until);
      sample[`${scan.id} lateMs`] = noticed.lateMs;
    }
    if (blocks) sample[`${scan.id} through`] = passed;
  }
  return { sample, oracle };
}

const metric = (key: string, title: string, better: Metric["better"]): Metric => ({
  key,
  title,
  unit: "count",
  better,
});

type Work = (scene: Scene, guard: Guard) => Promise<Sample>;

function detectionCase(
  name: string,
  what: string,
  metrics: readonly Metric[],
  work: Work,
  limit: Contender,
): Case {
  const obstacle =
    labObstacle("tcpdump", "nft") ??
    missing("nmap") ??
    missing("masscan") ??
    missing("hping3") ??
    missing("python3");
  return {
    name,
    what,
    metrics,
    goals: [],
    guessS: 660,
    open: () => ({
      contenders: [
        ...watchingGuards().map(
          (guard): Contender => ({
            name: guard.name,
            role: guard.role,
            command: guard.command,
            obstacle: obstacle ?? guard.obstacle,
            isAlwaysCold: true,
            limitMinutes: LIMIT_MINUTES,
            run: (signal) => inScene(guard, signal, (scene) => work(scene, guard), CLIENTS),
          }),
        ),
        { ...limit, obstacle },
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}

const CLIENTS = ["stranger", "zombie"];

/** The scans before each guard; the limit is read from the captures of the very packets that telltale saw. */
function scansCase(wanted: readonly ScanKind[]): Case {
  const oracles: Sample[] = [];
  const limit: Contender = {
    name: "the limit",
    role: "limit",
    command: "the third unused port, or one packet that no stack sends # of telltale's capture",
    isAlwaysCold: true,
    limitMinutes: LIMIT_MINUTES,
    run: async (signal) =>
      oracles.shift() ??
      (await inScene(
        unguarded,
        signal,
        async (scene) => (await scans(scene, false, wanted)).oracle,
        CLIENTS,
      )),
  };
  return detectionCase(
    "scans",
    "Every kind of scan, and after how many different ports each guard noticed it; in brackets, how many of them were unused.",
    SCANS_IN_ORDER.flatMap(({ id, what }) => [
      metric(`${id} until`, `${id}: ${what}`, "less"),
      metric(`${id} unused`, `${id}: of them unused`, "less"),
      metric(`${id} noticed`, `${id}: noticed`, "more"),
      metric(`${id} through`, `${id}: came through`, "less"),
      metric(`${id} sent`, `${id}: sent`, "neither"),
      { key: `${id} lateMs`, title: `${id}: alarm after the last packet`, unit: "ms", better: "less" },
    ]),
    async (scene, guard) => {
      const { sample, oracle } = await scans(scene, guard.blocks, wanted);
      if (guard.role === "telltale") oracles.push(oracle);
      return sample;
    },
    limit,
  );
}

function ordinaryCase(wanted: readonly Ordinary[]): Case {
  const limit: Contender = {
    name: "the limit",
    role: "limit",
    command: "nobody, for none of them is a scanner",
    isAlwaysCold: true,
    run: () =>
      Object.fromEntries(
        wanted.flatMap(({ id, sources }) => [
          [`${id} accused`, 0],
          [`${id} sources`, sources],
        ]),
      ),
  };
  return detectionCase(
    "ordinary",
    "What happens all day and is no scan: how many of those who took part were called scanners.",
    ORDINARY.flatMap(({ id, what }) => [
      metric(`${id} accused`, `${id}: ${what}`, "less"),
      metric(`${id} sources`, `${id}: took part`, "neither"),
    ]),
    (scene) => ordinary(scene, wanted),
    limit,
  );
}

export const detectionBench: Bench = {
  name: "detection",
  title: "Which scans are noticed",
  about: `Every scan of the table comes from an address of its own, against a host with twenty services, in network
namespaces; a capture at the scanner's end says how many different ports (or protocols) had been on the wire when the guard
spoke up. Most scans are held to 200 packets a second, so that the number tells how a guard decides and not how soon
the machine woke it; what the firewall refused already counts as noticed. nmap asks in an order of its own each time, so that
chance puts open ports between: the number in brackets counts the unused ones alone, and "telltale is" compares those, each
the median of the rounds. *The limit* is a guard that speaks at the very packet: the third unused port, or the first packet that
no stack sends, in the capture of telltale's own run; earlier means to accuse visitors who mistype twice. PortSentry calls the first touch
of a port below 1,024 a scan, telltale's kernel a third unused TCP port within a minute, and the rest of telltale a fourth; what
that saves and whom it costs, the second table says. *Came through* counts the ports that were asked behind the guard's firewall.`,
  packages: [
    ...["nmap", "masscan", "hping3", "portsentry", "scanlogd", "psad", "fail2ban", "crowdsec"],
    ...["crowdsec-firewall-bouncer", "ulogd2", "iptables", "nftables"],
  ],
  document: "detection.md",
  rows: detectionRows,
  cases: (scale) => {
    const part = (length: number): number => (scale < 1 ? Math.max(2, Math.round(length * scale)) : length);
    const shortScans = scale < 1 ? SCANS.filter(({ slowSeconds }) => slowSeconds === undefined) : SCANS;
    return [
      scansCase(shortScans.slice(0, part(shortScans.length))),
      ordinaryCase(ORDINARY.slice(0, part(ORDINARY.length))),
    ];
  },
};
