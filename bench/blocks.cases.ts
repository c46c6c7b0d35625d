// Blocks in bulk: how many a second, and how soon they are back after a restart.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../src/store/store.ts";
import { startGuard } from "../tests/system/guard-process.ts";
import { type Lab, labObstacle, makeLab } from "../tests/system/lab.ts";
import { LISTENER_UID, withListener } from "../tests/system/split.ts";
import { waitFor } from "../tests/system/wait.ts";
import { missing } from "./machine.ts";
import { startAccount } from "./scene/costs.ts";
import { startJail } from "./scene/guards/fail2ban.ts";
import { sourceNumber } from "./scene/many-sources.ts";
import { type Case, type Contender, CPU, type Metric, PSS, type Sample } from "./types.ts";

const RATE: Metric = { key: "perSecond", title: "blocks a second", unit: "/s", better: "more" };
const FAILED: Metric = { key: "failed", title: "not blocked", unit: "count", better: "less" };
const LIMIT_MS = 300_000;

type Work = (lab: Lab, log: string) => Promise<Sample>;

function contender(
  name: string,
  role: Contender["role"],
  command: string,
  obstacle: string | null,
  work: Work,
): Contender {
  return {
    name,
    role,
    command,
    obstacle: labObstacle("nft") ?? obstacle,
    isAlwaysCold: true,
    run: async (signal) => {
      using lab = makeLab(["stranger"]);
      const end = (): void => lab[Symbol.dispose]();
      signal.addEventListener("abort", end, { once: true });
      const log = join(lab.dir, "auth.log");
      writeFileSync(log, "");
      try {
        return await work(lab, log);
      } finally {
        signal.removeEventListener("abort", end);
      }
    },
  };
}

const sources = (count: number): string[] => Array.from({ length: count }, (_, n) => sourceNumber(n));

/** How many of ours stand in the firewall. */
const inForce = (lab: Lab): number =>
  (lab.run("host", ["nft", "list", "ruleset"]).stdout.match(/\b11\.\d+\.\d+\.\d+\b/g) ?? []).length;

// In one transaction: the kernel's own work, and nothing else.
function oneTransaction(count: number): Contender {
  return contender("nft -f, all at once", "limit", "nft -f blocks.nft", null, async (lab) => {
    const path = join(lab.dir, "blocks.nft");
    writeFileSync(
      path,
      `table inet bench {\n set blocked { type ipv4_addr; flags timeout; size 200000; elements = { ${sources(
        count,
      )
        .map((source) => `${source} timeout 10m`)
        .join(", ")} } }\n}\n`,
    );
    const began = performance.now();
    const ran = lab.run("host", ["nft", "-f", path]);
    const tookMs = performance.now() - began;
    if (ran.status !== 0) throw new Error(ran.stderr.trim().slice(0, 500));
    return { perSecond: (count / tookMs) * 1_000, tookMs, failed: 0 };
  });
}

async function ban(lab: Lab, count: number): Promise<void> {
  const socket = join(lab.dir, "fail2ban.sock");
  for (let n = 0; n < count; n += 250) {
    const some = sources(count).slice(n, n + 250);
    const ran = lab.run("host", ["fail2ban-client", "-s", socket, "set", "sshd", "banip", ...some]);
    if (ran.status !== 0) throw new Error(ran.stderr.trim().slice(0, 500));
  }
}

function rateCase(scale: number): Case {
  const ours = Math.round(10_000 * scale);
  const theirs = Math.round(500 * scale);
  return {
    name: "block-rate",
    what: `Telltale is given ${ours} scanners within a second, with verdicts, history on disk and firewall; the peers ${theirs} addresses at once.`,
    metrics: [RATE, { key: "stallMs", title: "event loop held up", unit: "ms", better: "less" }, FAILED, CPU],
    goals: [
      { metric: "perSecond", over: "fail2ban", ratioAtLeast: 1 },
      { metric: "stallMs", atMost: 50 },
      { metric: "failed", atMost: 0 },
    ],
    open: () => ({
      contenders: [
        contender(
          "telltale",
          "telltale",
          `bench/scene/blocking.ts ${ours} # its responder`,
          null,
          async (lab) => {
            const script = join(import.meta.dirname, "scene/blocking.ts");
            const node = [process.execPath, "--disable-warning=ExperimentalWarning"];
            const account = join(lab.dir, "account");
            const time = ["/usr/bin/time", "-q", "-f", "%U %S", "-o", account];
            const ran = lab.run("host", [...time, ...node, script, String(ours), lab.dir], {
              timeoutMs: LIMIT_MS,
            });
            if (ran.status !== 0) throw new Error(ran.stderr.trim().slice(0, 2_000));
            const [user, system] = readFileSync(account, "latin1").trim().split(" ").map(Number);
            return { ...(JSON.parse(ran.stdout) as Sample), cpuMs: (user! + system!) * 1_000 };
          },
        ),
        contender(
          "fail2ban",
          "peer",
          "fail2ban-client set sshd banip ADDRESS...",
          missing("fail2ban-server", "fail2ban"),
          async (lab, log) => {
            const cost = startAccount(lab);
            await startJail(lab, "sshd", log, "");
            const atStart = cost()["cpuMs"]!;
            const began = performance.now();
            await ban(lab, theirs);
            await waitFor("fail2ban's bans", () => inForce(lab) >= theirs, LIMIT_MS);
            return {
              perSecond: (theirs / (performance.now() - began)) * 1_000,
              failed: 0,
              cpuMs: cost()["cpuMs"]! - atStart,
            };
          },
        ),
        contender(
          "a command for each",
          "peer",
          "iptables -I INPUT -s ADDRESS -j DROP, as PortSentry does",
          missing("iptables"),
          async (lab) => {
            const began = performance.now();
            const loop = 'for a; do iptables -I INPUT -s "$a" -j DROP || exit 1; done';
            const ran = lab.run("host", ["sh", "-c", loop, "sh", ...sources(theirs)], {
              timeoutMs: LIMIT_MS,
            });
            if (ran.status !== 0) throw new Error(ran.stderr.trim().slice(0, 500));
            return { perSecond: (theirs / (performance.now() - began)) * 1_000, failed: 0 };
          },
        ),
        oneTransaction(ours),
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}

function restoreCase(scale: number): Case {
  const ours = Math.round(100_000 * scale);
  const theirs = Math.round(500 * scale);
  return {
    name: "restore",
    what: `A restart with blocks in the history and none in the firewall, until the guard says that it runs with all of them in force: ${ours} for telltale, ${theirs} for fail2ban.`,
    metrics: [
      RATE,
      { key: "tookMs", title: "start to all in force", unit: "ms", better: "less" },
      PSS,
      { key: "held", title: "in force", unit: "count", better: "more" },
    ],
    goals: [
      { metric: "perSecond", over: "fail2ban", ratioAtLeast: 1 },
      { metric: "tookMs", atMost: 2_000 },
      { metric: PSS.key, atMost: 180 },
    ],
    open: () => ({
      contenders: [
        contender("telltale", "telltale", "bin/telltale guard --block --config telltale.toml", null, (lab) =>
          restoreOurs(lab, ours),
        ),
        contender(
          "fail2ban",
          "peer",
          "fail2ban-server -f # with its database",
          missing("fail2ban-server", "fail2ban"),
          async (lab, log) => {
            const settings = "bantime = 1d";
            await startJail(lab, "sshd", log, settings, { database: true });
            await ban(lab, theirs);
            await waitFor("fail2ban's bans", () => inForce(lab) >= theirs, LIMIT_MS);
            lab.run("host", ["fail2ban-client", "-s", join(lab.dir, "fail2ban.sock"), "stop"]);
            await waitFor("fail2ban to let everybody in", () => inForce(lab) === 0, LIMIT_MS);
            const cost = startAccount(lab);
            const began = performance.now();
            await startJail(lab, "sshd", log, settings, { database: true });
            await waitFor("fail2ban's bans to be back", () => inForce(lab) >= theirs, LIMIT_MS);
            const tookMs = performance.now() - began;
            return { perSecond: (theirs / tookMs) * 1_000, tookMs, held: theirs, ...cost() };
          },
        ),
        oneTransaction(ours),
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}

async function restoreOurs(lab: Lab, count: number): Promise<Sample> {
  const path = join(lab.dir, "store/telltale.db");
  const since = new Date();
  const until = new Date(since.getTime() + 3_600_000);
  const store = openStore(path);
  store.transaction(() => {
    for (const target of sources(count)) {
      const times = { since: since.toISOString(), until: until.toISOString() };
      store.blocks.put({
        target,
        ...times,
        because: "4 first contacts failed",
        grade: "spoofable",
        findingId: "",
        packetsStopped: 0,
      });
    }
  });
  store.close();
  const options = withListener(lab);
  lab.run("host", ["chown", "-R", `${LISTENER_UID}:${LISTENER_UID}`, join(lab.dir, "store")]);
  const config = join(lab.dir, "telltale.toml");
  const off = ["rotate", "check", "sentry"].map((part) => `[${part}]\nenabled = false\n`).join("");
  writeFileSync(config, `[store]\ndirectory = "${lab.dir}/store"\n${off}[report]\nvia = "none"\n`);
  const cost = startAccount(lab);
  const began = performance.now();
  // It says so once the kernel has confirmed them all. Reading them back takes longer than putting them in, so that comes after.
  await startGuard(lab, ["--block", "--config", config], options);
  const tookMs = performance.now() - began;
  const costs = cost();
  const held = inForce(lab);
  if (held < count) throw new Error(`${held} of ${count} blocks are in force after the start`);
  return { perSecond: (count / tookMs) * 1_000, tookMs, held, ...costs };
}

export const blockCases = (scale: number): Case[] => [rateCase(scale), restoreCase(scale)];
