// The pattern engine alone: how fast lines go through a compiled rule set, how long compiling takes, and how both grow
// with the number of rules.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildC } from "./compiled.ts";
import { missing } from "./machine.ts";
import { asPerl, multiplyRules, readRules } from "./material/rule-lists.ts";
import { type Mixture, writeLog } from "./material/syslog-lines.ts";
import { CommandFailed, runToEnd } from "./measure.ts";
import { type Case, type Contender, type Metric, RSS, type Sample } from "./types.ts";

const RULES = "/etc/logcheck";
const SOURCE = join(import.meta.dirname, "engines/hyperscan.c");
const ENGINE = join(import.meta.dirname, "engines/telltale.ts");
const THREADS = join(import.meta.dirname, "engines/threads.ts");
// Hyperscan's compiling grows steeply with the rules; beyond this nobody would wait for it.
const COMPILE_LIMIT_S = 300;
// What timeout(1) reports then.
const WAS_ENDED = 124;

const METRICS: readonly Metric[] = [
  { key: "rate", title: "scanning", unit: "MB/s", better: "more" },
  { key: "buildMs", title: "compiling the rules", unit: "ms", better: "less" },
  RSS,
  { key: "matched", title: "lines matched", unit: "count", better: "neither" },
];

export function engineCases(scale: number): Case[] {
  return [
    engineCase("typical", 1, scale),
    engineCase("worst", 1, scale),
    engineCase("typical", 4, scale),
    engineCase("typical", 16, scale),
  ];
}

function engineCase(mixture: Mixture, times: number, scale: number): Case {
  const sizeBytes = Math.round(20e6 * scale);
  return {
    name: `engine-${mixture}-rules-${times}x`,
    what: `${sizeBytes / 1e6} MB of ${mixture} lines in memory, one core; Debian's server ignore rules${times === 1 ? "" : ` ${times} times over, under other program names`}, without those that Hyperscan refuses.`,
    metrics: METRICS,
    goals: [{ metric: "rate", over: "Hyperscan", ratioAtLeast: 1 }],
    guessS: Math.min(COMPILE_LIMIT_S, 20 * times),
    open: (dir) => {
      const log = join(dir, "log");
      const rules = join(dir, "rules");
      const perlRules = join(dir, "perl-rules");
      writeLog(log, mixture, sizeBytes);
      const harness = new Harness(dir);
      const all = existsSync(RULES) ? readRules(RULES, ["ignore.d.paranoid", "ignore.d.server"]) : [];
      const taken = harness.taken(all);
      writeFileSync(
        rules,
        multiplyRules(
          taken.map(({ posix }) => posix),
          times,
        ).join("\n"),
        "latin1",
      );
      writeFileSync(
        perlRules,
        multiplyRules(
          taken.map(({ perl }) => perl),
          times,
        ).join("\n"),
        "latin1",
      );
      const rated = async (argv: readonly string[]): Promise<Sample> => {
        const sample = await runForJson(argv);
        return { rate: sizeBytes / 1e3 / sample["scanMs"]!, ...sample };
      };
      const noRules = all.length > 0 ? null : missing("logcheck", "logcheck-database");
      const ours = (locale: string): Pick<Contender, "command" | "obstacle" | "run"> => ({
        command: `node bench/engines/telltale.ts rules log ${locale}`,
        obstacle: noRules,
        run: () => rated([process.execPath, ENGINE, rules, log, locale]),
      });
      return {
        contenders: [
          { name: "telltale", role: "telltale", ...ours("C") },
          { name: "telltale in C.UTF-8", role: "variant", ...ours("C.UTF-8") },
          {
            name: "telltale with a helper thread",
            role: "variant",
            command: "node bench/engines/threads.ts rules log C",
            obstacle: noRules,
            run: () => rated([process.execPath, THREADS, rules, log, "C"]),
          },
          {
            name: "Hyperscan",
            role: "peer",
            command: "hyperscan scan perl-rules log",
            obstacle: noRules ?? harness.obstacle,
            roundsMax: 1,
            run: () => rated(["timeout", String(COMPILE_LIMIT_S), harness.program, "scan", perlRules, log]),
          },
          {
            name: "finding the ends of lines",
            role: "limit",
            command: "hyperscan lines log",
            obstacle: harness.obstacle,
            run: () => rated([harness.program, "lines", log]),
          },
        ],
        agreement: () => `${taken.length} of ${all.length} rules`,
        [Symbol.dispose]: () => {},
      };
    },
  };
}

// The C program around Hyperscan, built where a compiler and the library are.
class Harness {
  readonly program: string;
  readonly obstacle: string | null;
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    this.program = join(dir, "hyperscan");
    this.obstacle = buildC(SOURCE, this.program, { package: "libhyperscan5", link: "-l:libhs.so.5" });
  }

  /** The rules that both engines can be given; all of them, where there is no Hyperscan to ask. */
  taken(rules: readonly string[]): { posix: string; perl: string }[] {
    const pairs = rules
      .map((posix) => ({ posix, perl: asPerl(posix) ?? "" }))
      .filter(({ perl }) => perl !== "");
    if (this.obstacle !== null) return pairs;
    const candidates = join(this.#dir, "candidates");
    writeFileSync(candidates, pairs.map(({ perl }) => perl).join("\n"), "latin1");
    const argv = [this.program, "check", candidates];
    const asked = spawnSync(argv[0]!, argv.slice(1), { maxBuffer: 64 << 20 });
    if (asked.status !== 0) throw new CommandFailed(argv, asked.status, asked.stderr.toString());
    const accepted = new Set(asked.stdout.toString("latin1").split("\n"));
    return pairs.filter(({ perl }) => accepted.has(perl));
  }
}

async function runForJson(argv: readonly string[]): Promise<Sample> {
  const ended = await runToEnd(argv, { stdout: "pipe" });
  if (ended.status === WAS_ENDED) throw new Error(`not ready after ${COMPILE_LIMIT_S} s`);
  if (ended.status !== 0) throw new CommandFailed(argv, ended.status, ended.stderr);
  return JSON.parse(ended.stdout) as Sample;
}
