// The guard as it stands there all day: what it costs while nothing happens, beside the programs that would share its
// duties, and how fast a log may grow while it is followed.
import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type GuardProcess, startGuard } from "../tests/system/guard-process.ts";
import { type Lab, labObstacle, makeLab } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { missing } from "./machine.ts";
import { makeLogTree, writeLogOfSize } from "./material/log-trees.ts";
import { syslogLines } from "./material/syslog-lines.ts";
import { costOf, processesOf } from "./scene/costs.ts";
import { portsentry } from "./scene/guards/portsentry.ts";
import { type Bench, type Case, CPU, type Metric, RSS, type Sample } from "./types.ts";

const SETTLE_MS = 5_000;
const WATCH_MS = 10_000;
const RULES = "/etc/logcheck";
const MARK_EVERY = 100;

const PSS: Metric = { key: "pssMb", title: "memory while idle (PSS)", unit: "MB", better: "less" };
const IDLE: Metric = { key: "cpuPerHourMs", title: "CPU an hour while idle", unit: "ms", better: "less" };
const RATE: Metric = { key: "linesPerSecond", title: "lines a second", unit: "lines/s", better: "more" };
const MARKS: Metric = { key: "marksLost", title: "marked lines lost", unit: "count", better: "less" };

// A guard with all its duties, over logs and rotation of the bench's own.
async function startWhole(lab: Lab, log: string, hasSentry: boolean): Promise<GuardProcess> {
  const content = join(lab.dir, "content");
  writeLogOfSize(content, 4_096, 3);
  const shape = { count: 20, sizeBytes: 4_096, generations: 2, directives: [], ending: "", isFresh: true };
  const tree = makeLogTree(join(lab.dir, "tree"), shape, content);
  tree.reset();
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(
    config,
    `[store]
directory = "${lab.dir}/store"
[rotate]
config = ["${tree.config}"]
state = "${tree.state}"
roots = ["${lab.dir}/tree/logs"]
[check]
rules = "${RULES}"
logs = ["${log}"]
journal = "off"
[sentry]
enabled = ${hasSentry}
[report]
via = "none"
`,
  );
  return await startGuard(lab, ["--block", "--config", config]);
}

async function watchIdle(lab: Lab, before: ReadonlySet<number>): Promise<Sample> {
  const cost = () => costOf(processesOf(lab).filter((pid) => !before.has(pid)));
  await quiet(SETTLE_MS);
  const began = performance.now();
  const atStart = cost();
  await quiet(WATCH_MS);
  const atEnd = cost();
  const tookMs = performance.now() - began;
  const spentMs = atEnd["cpuMs"]! - atStart["cpuMs"]!;
  return { pssMb: atEnd["pssMb"]!, cpuPerHourMs: (spentMs / tookMs) * 3_600_000 };
}

const quiet = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const whole = () => labObstacle("nft") ?? missing("logcheck", "logcheck-database");

function idleCase(): Case {
  return {
    name: "idle",
    what: `Nothing happens for ${WATCH_MS / 1_000} s: rotation, log checking, scan detection and blocking, all waiting. What runs by timer is not counted for either side.`,
    metrics: [PSS, IDLE],
    goals: [
      { metric: "pssMb", over: "PortSentry and fail2ban", ratioAtLeast: 1 },
      { metric: "cpuPerHourMs", over: "PortSentry and fail2ban", ratioAtLeast: 1 },
    ],
    open: () => ({
      contenders: [
        {
          name: "telltale",
          role: "telltale",
          command: "bin/telltale guard --block --config telltale.toml",
          obstacle: whole(),
          isAlwaysCold: true,
          run: async () => {
            using lab = makeLab(["stranger"]);
            const before = new Set(processesOf(lab));
            const log = join(lab.dir, "auth.log");
            writeLogOfSize(log, 1e6, 5);
            const guard = await startWhole(lab, log, true);
            const sample = await watchIdle(lab, before);
            await guard.stop();
            return sample;
          },
        },
        {
          name: "PortSentry and fail2ban",
          role: "peer",
          command: "portsentry -atcp; fail2ban-server -f, with the jail sshd",
          obstacle: whole() ?? portsentry.obstacle ?? missing("fail2ban-server", "fail2ban"),
          isAlwaysCold: true,
          run: async () => {
            using lab = makeLab(["stranger"]);
            const before = new Set(processesOf(lab));
            const log = join(lab.dir, "auth.log");
            writeLogOfSize(log, 1e6, 5);
            await portsentry.start(lab);
            await startFail2ban(lab, log);
            return await watchIdle(lab, before);
          },
        },
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}

// Debian's own jail for sshd, over a copy of its configuration, with sockets and memory of its own.
async function startFail2ban(lab: Lab, log: string): Promise<void> {
  const config = join(lab.dir, "fail2ban");
  cpSync("/etc/fail2ban", config, { recursive: true });
  mkdirSync(join(config, "jail.d"), { recursive: true });
  writeFileSync(join(config, "jail.d/defaults-debian.conf"), "");
  writeFileSync(
    join(config, "jail.local"),
    `[sshd]\nenabled = true\nbackend = polling\nlogpath = ${log}\nbanaction = nftables-multiport\n`,
  );
  writeFileSync(join(config, "fail2ban.local"), "[Definition]\ndbfile = None\n");
  const diary = join(lab.dir, "fail2ban.log");
  writeFileSync(diary, "");
  const files = ["-s", join(lab.dir, "fail2ban.sock"), "-p", join(lab.dir, "fail2ban.pid")];
  const server = lab.start("host", [
    "fail2ban-server",
    "-f",
    ...["-c", config, ...files, "--logtarget", diary],
    "start",
  ]);
  server.stdout!.resume();
  server.stderr!.resume();
  await waitFor("fail2ban's jail", () => readFileSync(diary, "utf8").includes("Jail 'sshd' started"));
}

function followCase(scale: number): Case {
  const sizeBytes = Math.round(20e6 * scale);
  return {
    name: "follow",
    what: `A log grows by ${sizeBytes / 1e6} MB at once while the guard follows it; every ${MARK_EVERY}th line is one that has to be reported, and is counted.`,
    metrics: [RATE, MARKS, CPU, RSS],
    goals: [{ metric: "marksLost", atMost: 0 }],
    open: (dir) => {
      const burst = makeBurst(sizeBytes);
      return {
        contenders: [
          {
            name: "telltale",
            role: "telltale",
            command: "bin/telltale guard --block --json --config telltale.toml; cat burst >> auth.log",
            obstacle: whole(),
            isAlwaysCold: true,
            run: () => follow(burst),
          },
          {
            name: "reading it once",
            role: "limit",
            command: "wc -l burst",
            run: () => {
              const path = join(dir, "burst");
              writeFileSync(path, burst.text, "latin1");
              const began = performance.now();
              spawnSync("wc", ["-l", path]);
              return { linesPerSecond: (burst.lines / (performance.now() - began)) * 1_000 };
            },
          },
        ],
        [Symbol.dispose]: () => {},
      };
    },
  };
}

type Burst = { readonly text: string; readonly lines: number; readonly marks: number };

function makeBurst(sizeBytes: number): Burst {
  const parts: string[] = [];
  let length = 0;
  let lines = 0;
  let marks = 0;
  for (const line of syslogLines("typical", 9)) {
    const isMark = ++lines % MARK_EVERY === 0;
    const text = isMark ? `${line.slice(0, 15)} web1 marker[1]: mark ${++marks} of the burst\n` : line;
    parts.push(text);
    length += text.length;
    if (length >= sizeBytes && isMark) break;
  }
  return { text: parts.join(""), lines, marks };
}

async function follow(burst: Burst): Promise<Sample> {
  using lab = makeLab([]);
  const before = new Set(processesOf(lab));
  const log = join(lab.dir, "auth.log");
  writeFileSync(log, "");
  const guard = await startWhole(lab, log, false);
  const began = performance.now();
  appendFileSync(log, burst.text, "latin1");
  const seen = new Set<number>();
  let looked = 0;
  const look = (): boolean => {
    for (; looked < guard.events.length; looked++) {
      const event = guard.events[looked]!;
      const mark = event.type === "line.found" ? / mark (\d+) of the burst/.exec(event.line)?.[1] : undefined;
      if (mark !== undefined) seen.add(Number(mark));
    }
    return seen.has(burst.marks);
  };
  await waitFor("the last line of the burst", look, 120_000);
  const tookMs = performance.now() - began;
  const spent = costOf(processesOf(lab).filter((pid) => !before.has(pid)));
  await guard.stop();
  const linesPerSecond = (burst.lines / tookMs) * 1_000;
  return {
    linesPerSecond,
    marksLost: burst.marks - seen.size,
    cpuMs: spent["cpuMs"]!,
    rssMb: spent["rssMb"]!,
  };
}

export const guardBench: Bench = {
  name: "guard",
  title: "The guard all day",
  about: `One guard with all its duties, in a network namespace, beside the daemons that share them: PortSentry on every port,
and fail2ban with its jail for sshd. PSS counts shared pages by their share. Where logrotate and logcheck would run from
timers, and the guard looks by its own schedule, the cost of the runs themselves is in the benches of rotation and log
checking.`,
  packages: ["portsentry", "fail2ban", "logcheck-database"],
  cases: (scale) => [idleCase(), followCase(scale)],
};
