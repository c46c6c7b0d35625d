// Log checking beside logcheck, as whole commands whose reports have to be the same, and the pattern engine beside
// Hyperscan and grep.
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { engineCases } from "./engine.cases.ts";
import { growthTables } from "./growth.ts";
import { missing } from "./machine.ts";
import { readRules } from "./material/rule-lists.ts";
import { type Mixture, writeLog } from "./material/syslog-lines.ts";
import { runMeasured } from "./measure.ts";
import { runtimeAlone } from "./runtime.ts";
import { type Bench, type Case, type Contender, CPU, type Goal, type Metric, RSS, WALL } from "./types.ts";

const TELLTALE = join(import.meta.dirname, "../bin/telltale");
const RULES = "/etc/logcheck";
const RATE: Metric = { key: "linesPerSecond", title: "lines a second", unit: "lines/s", better: "more" };
const AS_LOGCHECK = ["setpriv", "--reuid=logcheck", "--regid=logcheck", "--init-groups"];
const WARMED = "NODE_COMPILE_CACHE";

type Locale = "C" | "C.UTF-8";

const obstacle = (): string | null => {
  if (process.getuid?.() !== 0) return "needs root to become the user logcheck";
  return missing("logcheck") ?? missing("setpriv", "util-linux");
};

// One folder with everything that either program needs, owned by the user that both run as.
class CheckStage {
  readonly dir: string;
  readonly log: string;
  readonly #locale: Locale;

  constructor(dir: string, locale: Locale) {
    this.dir = dir;
    this.log = join(dir, "auth.log");
    this.#locale = locale;
    for (const name of ["tmp", "lists.d", "state-telltale", "state-logcheck", "compiled"]) this.#folder(name);
    const settings = { LOCKDIR: dir, LOCKFILE: join(dir, "lock"), TMP: join(dir, "tmp") };
    const lines = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`);
    writeFileSync(join(dir, "logcheck.conf"), lines.join(""));
    this.#give(dir);
  }

  /** Both programs with one command line; each has its own state, and reads the log from its beginning. */
  contender(
    which: "telltale" | "logcheck",
    options: { roundsMax?: number; isCold?: boolean } = {},
  ): Contender {
    const state = join(this.dir, `state-${which}`);
    const program = which === "telltale" ? [TELLTALE, "logcheck"] : ["/usr/sbin/logcheck"];
    const args = [
      "-o",
      "-s",
      "-c",
      join(this.dir, "logcheck.conf"),
      "-l",
      this.log,
      "-r",
      RULES,
      "-S",
      state,
    ];
    const env: Record<string, string> = { LC_ALL: this.#locale, [WARMED]: join(this.dir, "compiled") };
    // Compiled rules: of the run before, or of none.
    env["XDG_CACHE_HOME"] = options.isCold === true ? "/nonexistent" : join(this.dir, "compiled");
    if (options.isCold === true) env["NODE_DISABLE_COMPILE_CACHE"] = "1";
    return {
      name: which,
      role: which === "telltale" ? "telltale" : "peer",
      command:
        `LC_ALL=${this.#locale} ${options.isCold === true ? "NODE_DISABLE_COMPILE_CACHE=1 " : ""}${program.join(" ")} ${args.join(" ")}`
          .replace(TELLTALE, "bin/telltale")
          .replaceAll(`${this.dir}/`, ""),
      obstacle: obstacle(),
      ...(options.roundsMax === undefined ? {} : { roundsMax: options.roundsMax }),
      before: () => {
        rmSync(state, { recursive: true, force: true });
        this.#folder(`state-${which}`);
      },
      run: () =>
        runMeasured([...AS_LOGCHECK, ...program, ...args], {
          env,
          stdoutFile: join(this.dir, `report-${which}`),
        }),
    };
  }

  agreement(): string {
    const [ours, theirs] = ["telltale", "logcheck"].map((which) => join(this.dir, `report-${which}`));
    if (!existsSync(ours!) || !existsSync(theirs!)) return "the reports were not compared";
    const same = readFileSync(ours!).equals(readFileSync(theirs!));
    return same ? "both reports are the same, byte for byte" : "THE REPORTS DIFFER";
  }

  #folder(name: string): void {
    const path = join(this.dir, name);
    mkdirSync(path, { recursive: true });
    this.#give(path);
  }

  #give(path: string): void {
    chmodSync(path, 0o755);
    const [uid, gid] = ["-u", "-g"].map((option) =>
      Number(spawnSync("id", [option, "logcheck"], { encoding: "utf8" }).stdout),
    );
    if (process.getuid?.() === 0 && uid! > 0) chownSync(path, uid!, gid!);
  }
}

type WholeCase = {
  readonly mixture: Mixture;
  readonly sizeMb: number;
  readonly locale: Locale;
  readonly goals?: readonly Goal[];
  /** Rounds that real logcheck gets where one takes minutes. */
  readonly peerRounds?: number;
};

const MIXED: Record<Mixture, string> = {
  typical: "sshd, kernel, postfix, cron, sudo and systemd lines, nine in ten ignored",
  "sshd-kernel": "sshd and kernel lines, three in four ignored",
  worst: "lines that no rule knows, all of them reported",
};

function wholeCase(wanted: WholeCase, scale: number): Case {
  const { mixture, locale } = wanted;
  const sizeBytes = Math.round(wanted.sizeMb * 1e6 * scale);
  return {
    name: `${mixture}-${wanted.sizeMb}MB-${locale}`,
    what: `${sizeBytes / 1e6} MB of ${MIXED[mixture]}; Debian's server rules; locale ${locale}.`,
    metrics: [WALL, CPU, RSS],
    goals: wanted.goals ?? [{ metric: "wallMs", over: "logcheck", ratioAtLeast: 1 }],
    guessS: wanted.sizeMb, // logcheck reads about a megabyte a second
    open: (dir) => {
      const stage = new CheckStage(dir, locale);
      writeLog(stage.log, mixture, sizeBytes);
      const peer = wanted.peerRounds === undefined ? {} : { roundsMax: wanted.peerRounds };
      const contenders = [stage.contender("telltale"), stage.contender("logcheck", peer)];
      contenders.push(oneGrep(dir, stage.log, wanted), countingLines(stage.log));
      return { contenders, agreement: () => stage.agreement(), [Symbol.dispose]: () => {} };
    },
  };
}

// Of a log, a megabyte takes it from ten seconds to minutes: larger ones are named and left out.
const GREP_AT_MOST_MB = 1;

function oneGrep(dir: string, log: string, { locale, sizeMb }: WholeCase): Contender {
  const tooLarge = sizeMb > GREP_AT_MOST_MB ? "its time grows with the log: see the case of 1 MB" : null;
  return {
    name: "one grep with all rules",
    role: "peer",
    command: `LC_ALL=${locale} grep -E --text -v -f ignore-rules auth.log > kept`,
    obstacle: tooLarge ?? (existsSync(RULES) ? null : missing("logcheck", "logcheck-database")),
    roundsMax: 1,
    run: () => {
      const rules = join(dir, "ignore-rules");
      writeFileSync(rules, readRules(RULES, ["ignore.d.paranoid", "ignore.d.server"]).join("\n"), "latin1");
      return runMeasured(["grep", "-E", "--text", "-v", "-f", rules, log], {
        env: { LC_ALL: locale },
        statuses: [0, 1],
        stdoutFile: join(dir, "kept"), // into /dev/null it would end with the first line that it keeps
      });
    },
  };
}

function countingLines(log: string): Contender {
  return {
    name: "wc -l",
    role: "limit",
    command: "wc -l auth.log",
    run: () => runMeasured(["wc", "-l", log]),
  };
}

const ahead = (ratioAtLeast: number): Goal[] => [{ metric: "wallMs", over: "logcheck", ratioAtLeast }];

function checkCases(scale: number): Case[] {
  const both = (rest: Omit<WholeCase, "locale">, goalC: number, goalUtf8: number): Case[] => [
    wholeCase({ ...rest, locale: "C", goals: ahead(goalC) }, scale),
    wholeCase({ ...rest, locale: "C.UTF-8", goals: ahead(goalUtf8) }, scale),
  ];
  return [
    ...both({ mixture: "sshd-kernel", sizeMb: 1 }, 6, 8),
    ...both({ mixture: "sshd-kernel", sizeMb: 5 }, 6, 8),
    ...both({ mixture: "sshd-kernel", sizeMb: 20 }, 20, 30),
    ...both({ mixture: "sshd-kernel", sizeMb: 200, peerRounds: 1 }, 50, 50),
    ...both({ mixture: "typical", sizeMb: 1 }, 6, 8),
    ...both({ mixture: "typical", sizeMb: 5 }, 6, 8),
    ...both({ mixture: "typical", sizeMb: 20 }, 20, 30),
    ...both({ mixture: "typical", sizeMb: 200, peerRounds: 1 }, 50, 50),
    ...both({ mixture: "worst", sizeMb: 1 }, 6, 8),
    ...both({ mixture: "worst", sizeMb: 5 }, 6, 8),
    ...both({ mixture: "worst", sizeMb: 20, peerRounds: 1 }, 20, 30),
    ...both({ mixture: "worst", sizeMb: 200, peerRounds: 1 }, 50, 50),
    firstResult(),
    fail2ban(scale),
    memory(scale),
    ...engineCases(scale),
  ];
}

function firstResult(): Case {
  return {
    name: "first-result",
    what: "One line: the time from the start to the report, with no compiled code and no compiled rules kept from before.",
    metrics: [WALL, CPU, RSS],
    goals: [{ metric: "wallMs", atMost: 600 }],
    open: (dir) => {
      const stage = new CheckStage(dir, "C.UTF-8");
      writeLog(stage.log, "worst", 1);
      const contenders = [
        stage.contender("telltale", { isCold: true }),
        stage.contender("logcheck"),
        runtimeAlone(),
      ];
      return { contenders, agreement: () => stage.agreement(), [Symbol.dispose]: () => {} };
    },
  };
}

function memory(scale: number): Case {
  return {
    name: "memory-1000MB",
    what: `${Math.round(1_000 * scale)} MB of ${MIXED.typical}: memory must not grow with the log.`,
    metrics: [RSS, WALL, CPU],
    goals: [{ metric: "rssMb", atMost: 200 }],
    open: (dir) => {
      const stage = new CheckStage(dir, "C.UTF-8");
      writeLog(stage.log, "typical", 1e9 * scale);
      return {
        contenders: [stage.contender("telltale"), countingLines(stage.log)],
        [Symbol.dispose]: () => {},
      };
    },
  };
}

function fail2ban(scale: number): Case {
  const sizeBytes = Math.round(5e6 * scale);
  return {
    name: "fail2ban",
    what: `${sizeBytes / 1e6} MB of ${MIXED["sshd-kernel"]}: fail2ban's sshd filter alone beside all of Debian's server rules.`,
    metrics: [RATE, WALL, CPU, RSS],
    goals: [{ metric: "linesPerSecond", over: "fail2ban-regex", ratioAtLeast: 1 }],
    open: (dir) => {
      const log = join(dir, "auth.log");
      const lines = writeLog(log, "sshd-kernel", sizeBytes);
      const rated = async (argv: readonly string[], statuses: readonly number[]) => {
        const cost = await runMeasured(argv, { statuses });
        return { linesPerSecond: (lines / cost["wallMs"]!) * 1_000, ...cost };
      };
      const filter = "/etc/fail2ban/filter.d/sshd.conf";
      return {
        contenders: [
          {
            name: "telltale",
            role: "telltale",
            command: "bin/telltale check auth.log",
            obstacle: existsSync(RULES) ? null : missing("logcheck", "logcheck-database"),
            run: () => rated([TELLTALE, "check", "--rules", RULES, log], [0, 1]),
          },
          {
            name: "fail2ban-regex",
            role: "peer",
            command: `fail2ban-regex auth.log ${filter}`,
            obstacle: missing("fail2ban-regex", "fail2ban"),
            run: () => rated(["fail2ban-regex", log, filter], [0]),
          },
          { ...countingLines(log), run: () => rated(["wc", "-l", log], [0]) },
        ],
        [Symbol.dispose]: () => {},
      };
    },
  };
}

export const checkBench: Bench = {
  name: "check",
  title: "Log checking",
  about: `Whole commands as the user logcheck: both programs get the same options, rules and log, begin at the log's first
line, and print their report. Afterwards the reports are compared. All rules in one grep keep or drop lines and report
nothing. The limit is counting the lines, which is as fast as a file can be read at all; for a single line it is the start of the
runtime. The engine cases leave out everything but matching: each rule set is compiled once
and asked of every line which rule matches first (telltale, which is given 256 lines at a time, as logs are), or whether any does
(Hyperscan, called from C for each line).`,
  packages: ["logcheck", "logcheck-database", "grep", "libhyperscan5", "fail2ban"],
  across: growthTables,
  cases: checkCases,
};
