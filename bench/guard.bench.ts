// The guard as it stands there all day: what it costs while nothing happens, beside the programs that would share its
// duties, and how fast a log may grow while it is followed.
import { spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, labObstacle, makeLab } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { commandsCase } from "./commands.case.ts";
import { logToFindingCase } from "./log-to-finding.case.ts";
import { missing } from "./machine.ts";
import { makeLogTree, writeLogOfSize } from "./material/log-trees.ts";
import { syslogLines } from "./material/syslog-lines.ts";
import { runMeasured } from "./measure.ts";
import { runtimeAlone } from "./runtime.ts";
import { startAccount } from "./scene/costs.ts";
import { startJail } from "./scene/guards/fail2ban.ts";
import { portsentry } from "./scene/guards/portsentry.ts";
import { ALONE, startWhole } from "./scene/whole-guard.ts";
import { type Bench, type Case, type Contender, CPU, type Metric, PSS, type Sample, WALL } from "./types.ts";

// Ten seconds after its start the guard gives back what the start took: that belongs to the start.
const SETTLE_MS = 15_000;
// An hour is reckoned from this long: the kernel counts in hundredths of a second.
const WATCH_MS = 60_000;
const BUSY_AT_MOST_MS = 60_000;
const HOUR_MS = 3_600_000;
const HOUR_OF_LOG_BYTES = 1e6;
const STUCK_MS = 10_000;
const FOLLOW_LIMIT_MS = 240_000;
const RULES = "/etc/logcheck";
const MARK_EVERY = 100;

// Hundredths of a second, in an hour.
const STEP_MS = (10 / WATCH_MS) * HOUR_MS;
const IDLE: Metric = {
  key: "idleMs",
  title: "CPU an hour while idle",
  unit: "ms",
  better: "less",
  step: STEP_MS,
};
const HOUR: Metric = {
  key: "hourMs",
  title: "CPU an hour with its log",
  unit: "ms",
  better: "less",
  step: STEP_MS,
};
const RATE: Metric = { key: "linesPerSecond", title: "lines a second", unit: "lines/s", better: "more" };
const MARKS: Metric = { key: "marksLost", title: "marked lines lost", unit: "count", better: "less" };

type Account = () => Sample;

// Nothing for a while; then what an hour brings, at once: its log, and the runs of what is no daemon.
async function anHour(cost: Account, log: string, runsMs: () => number | Promise<number>): Promise<Sample> {
  await quiet(SETTLE_MS);
  // On a busy machine the start takes longer.
  await untilQuiet(cost);
  const began = performance.now();
  const atStart = cost()["cpuMs"]!;
  await quiet(WATCH_MS);
  const { cpuMs, pssMb } = cost();
  const idleMs = ((cpuMs! - atStart) / (performance.now() - began)) * HOUR_MS;
  appendFileSync(log, linesOfAnHour());
  await untilQuiet(cost);
  return { pssMb: pssMb!, idleMs, hourMs: idleMs + cost()["cpuMs"]! - cpuMs! + (await runsMs()) };
}

const quiet = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function untilQuiet(cost: Account): Promise<void> {
  const end = performance.now() + BUSY_AT_MOST_MS;
  for (let last = cost()["cpuMs"]!; performance.now() < end; ) {
    await quiet(2_000);
    const now = cost()["cpuMs"]!;
    if (now - last < 40) return;
    last = now;
  }
}

function linesOfAnHour(): string {
  const lines: string[] = [];
  let length = 0;
  for (const line of syslogLines("typical", 5)) {
    lines.push(line);
    length += line.length;
    if (length >= HOUR_OF_LOG_BYTES) break;
  }
  return lines.join("");
}

const whole = () => labObstacle("nft") ?? missing("logcheck", "logcheck-database");

// logrotate with nothing due, as its timer runs it once a day, and logcheck as its cron job does every hour.
async function peersRuns(lab: Lab, log: string): Promise<number> {
  const content = join(lab.dir, "content");
  writeLogOfSize(content, 4_096, 3);
  const shape = { count: 20, sizeBytes: 4_096, generations: 2, directives: [], ending: "", isFresh: true };
  const tree = makeLogTree(join(lab.dir, "tree"), shape, content);
  tree.reset();
  const rotated = await runMeasured(["/usr/sbin/logrotate", "-s", tree.state, tree.config]);
  const dir = join(lab.dir, "logcheck");
  for (const name of ["", "tmp", "state", "lists.d"]) mkdirSync(join(dir, name), { mode: 0o777 });
  const config = join(dir, "logcheck.conf");
  writeFileSync(config, `LOCKDIR='${dir}'\nLOCKFILE='${dir}/lock'\nTMP='${dir}/tmp'\n`);
  chmodSync(lab.dir, 0o755);
  spawnSync("chown", ["-R", "logcheck:", dir, log]);
  const checked = await runMeasured([
    ...["setpriv", "--reuid=logcheck", "--regid=logcheck", "--init-groups"],
    ...["/usr/sbin/logcheck", "-o", "-s", "-c", config, "-l", log, "-r", RULES, "-S", join(dir, "state")],
    ...["-L", join(dir, "none"), "-D", join(dir, "lists.d")],
  ]);
  return checked["cpuMs"]! + rotated["cpuMs"]! / 24;
}

// A process of this kind that does nothing at all.
const TIMER = "setInterval(() => {}, 60_000)";

const PEERS = "PortSentry, fail2ban, logcheck, logrotate";

function idleCase(): Case {
  const watcher = portsentry("PortSentry", ["-atcp", "-audp"]);
  const both = async (
    start: (lab: Lab, log: string) => Promise<() => number | Promise<number>>,
  ): Promise<Sample> => {
    using lab = makeLab(["stranger"]);
    const cost = startAccount(lab);
    const log = join(lab.dir, "auth.log");
    writeFileSync(log, "");
    const runsMs = await start(lab, log);
    return await anHour(cost, log, runsMs);
  };
  return {
    name: "idle",
    what: `Rotation, log checking, scan detection and blocking, all waiting for ${WATCH_MS / 1_000} s; then the ${HOUR_OF_LOG_BYTES / 1e6} MB of log that an hour brings, and for the peers one run of logcheck and a 24th of one of logrotate.`,
    metrics: [PSS, IDLE, HOUR],
    goals: [
      { metric: "pssMb", atMost: 120 },
      { metric: "idleMs", atMost: 0.005 * HOUR_MS },
      { metric: "pssMb", over: PEERS, ratioAtLeast: 1 },
      { metric: "idleMs", over: PEERS, ratioAtLeast: 1 },
      { metric: "hourMs", over: PEERS, ratioAtLeast: 1 },
    ],
    open: () => ({
      contenders: [
        ...[true, false].map(
          (split): Contender => ({
            name: split ? "telltale" : "telltale in one process",
            role: split ? "telltale" : "variant",
            command: `bin/telltale guard --block --config telltale.toml # guard.split = "${split ? "auto" : "off"}"`,
            obstacle: whole(),
            isAlwaysCold: true,
            run: () =>
              both(async (lab, log) => {
                await startWhole(lab, log, { hasSentry: true, split, as: ALONE });
                return () => 0; // its own looks at logs and rotation are part of it
              }),
          }),
        ),
        {
          name: PEERS,
          role: "peer",
          command:
            "portsentry -atcp; portsentry -audp; fail2ban-server -f, with the jail sshd; logcheck -o; logrotate logrotate.conf",
          obstacle:
            whole() ?? watcher.obstacle ?? missing("fail2ban-server", "fail2ban") ?? missing("logrotate"),
          isAlwaysCold: true,
          run: () =>
            both(async (lab, log) => {
              await watcher.start(lab);
              await startJail(lab, "sshd", log, "");
              return () => peersRuns(lab, log);
            }),
        },
        {
          name: "the runtime with a timer",
          role: "limit",
          command: `node -e '${TIMER}'`,
          obstacle: labObstacle("nft"),
          isAlwaysCold: true,
          run: () =>
            both(async (lab) => {
              const child = lab.start("host", [process.execPath, "-e", TIMER]);
              child.stdout!.resume();
              child.stderr!.resume();
              return () => 0;
            }),
        },
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}

// From the command to the word that it watches: of the peers those that stay, one after the other as an init script has them.
function startCase(): Case {
  const watcher = portsentry("PortSentry", ["-atcp", "-audp"]);
  const untilReady = async (start: (lab: Lab, log: string) => Promise<unknown>): Promise<Sample> => {
    using lab = makeLab(["stranger"]);
    const log = join(lab.dir, "auth.log");
    writeFileSync(log, "");
    const cost = startAccount(lab);
    const began = performance.now();
    await start(lab, log);
    return { wallMs: performance.now() - began, ...cost() };
  };
  return {
    name: "start",
    what: "From the command until all that stays in memory says that it watches: scans, logs, rotation and blocking. Its rules are compiled anew, and so is the code of the half without rights, which keeps it in the store.",
    metrics: [WALL, CPU, PSS],
    goals: [{ metric: "wallMs", atMost: 1_500 }],
    open: () => ({
      contenders: [
        {
          name: "telltale",
          role: "telltale",
          command: "bin/telltale guard --block --config telltale.toml",
          obstacle: whole(),
          run: () => untilReady((lab, log) => startWhole(lab, log, { hasSentry: true, split: true })),
        },
        {
          name: "PortSentry, fail2ban",
          role: "peer",
          command: "portsentry -atcp; portsentry -audp; fail2ban-server -f, with the jail sshd",
          obstacle: whole() ?? watcher.obstacle ?? missing("fail2ban-server", "fail2ban"),
          run: () =>
            untilReady(async (lab, log) => {
              await watcher.start(lab);
              await startJail(lab, "sshd", log, "");
            }),
        },
        runtimeAlone(),
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}

function followCase(scale: number): Case {
  const sizeBytes = Math.round(20e6 * scale);
  return {
    name: "follow",
    what: `A log grows by ${sizeBytes / 1e6} MB at once while the guard follows it; every ${MARK_EVERY}th line is one that has to be reported, and is counted.`,
    metrics: [RATE, MARKS, CPU, PSS],
    goals: [
      { metric: "marksLost", atMost: 0 },
      { metric: "linesPerSecond", over: "fail2ban", ratioAtLeast: 1 },
    ],
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
            name: "fail2ban",
            role: "peer",
            command: "fail2ban-server -f # one jail, one expression, no action; cat burst >> auth.log",
            obstacle: whole() ?? missing("fail2ban-server", "fail2ban"),
            isAlwaysCold: true,
            roundsMax: 1,
            run: () => followByFail2ban(burst),
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
    const text = isMark
      ? `${line.slice(0, 15)} web1 marker[1]: mark ${++marks} of the burst from 10.${marks >> 16}.${(marks >> 8) & 255}.${marks & 255}\n`
      : line;
    parts.push(text);
    length += text.length;
    if (length >= sizeBytes && isMark) break;
  }
  return { text: parts.join(""), lines, marks };
}

// `found`: how many marks were reported so far.
async function growBy(burst: Burst, log: string, cost: Account, found: () => number): Promise<Sample> {
  const began = performance.now();
  appendFileSync(log, burst.text, "latin1");
  let last = 0;
  let since = performance.now();
  // Whoever loses lines never comes to the last of them.
  await waitFor(
    "the last line of the burst",
    () => {
      const now = found();
      if (now !== last) since = performance.now();
      last = now;
      return now >= burst.marks || performance.now() - since > STUCK_MS;
    },
    FOLLOW_LIMIT_MS,
  );
  const { cpuMs, pssMb } = cost();
  const linesPerSecond = (burst.lines / (since - began)) * 1_000;
  return { linesPerSecond, marksLost: burst.marks - last, cpuMs: cpuMs!, pssMb: pssMb! };
}

async function follow(burst: Burst): Promise<Sample> {
  using lab = makeLab([]);
  const cost = startAccount(lab);
  const log = join(lab.dir, "auth.log");
  writeFileSync(log, "");
  const guard = await startWhole(lab, log, { hasSentry: false, split: true });
  const seen = new Set<number>();
  let looked = 0;
  return await growBy(burst, log, cost, () => {
    for (; looked < guard.events.length; looked++) {
      const event = guard.events[looked]!;
      const mark = event.type === "line.found" ? / mark (\d+) of the burst/.exec(event.line)?.[1] : undefined;
      if (mark !== undefined) seen.add(Number(mark));
    }
    return seen.size;
  });
}

async function followByFail2ban(burst: Burst): Promise<Sample> {
  using lab = makeLab([]);
  const cost = startAccount(lab);
  const log = join(lab.dir, "auth.log");
  writeFileSync(log, "");
  const filter = "[Definition]\nfailregex = marker\\[1\\]: mark \\d+ of the burst from <HOST>$\n";
  await startJail(lab, "marks", log, "maxretry = 100\naction =\nfindtime = 52w", { filter });
  const diary = join(lab.dir, "fail2ban.log");
  return await growBy(burst, log, cost, () => readFileSync(diary, "latin1").split("] Found ").length - 1);
}

export const guardBench: Bench = {
  name: "guard",
  title: "The guard all day",
  about: `One guard with all its duties, in a network namespace, beside the programs that share them: PortSentry on every
port, fail2ban with its jail for sshd, logcheck by the hour, logrotate by the day. PSS counts shared pages by their share;
CPU time is the kernel's account of every process in that namespace. The limit of waiting is one process of the same runtime
with nothing but a timer; telltale has two, so that what reads packets and logs has no rights. The limit of following a log is
reading it once, of noticing a line tail -F, and of a command that answers at once the start of the runtime.`,
  packages: ["portsentry", "fail2ban", "sshguard", "crowdsec", "logcheck", "logcheck-database", "logrotate"],
  cases: (scale) => [startCase(), commandsCase(), idleCase(), followCase(scale), logToFindingCase()],
};
