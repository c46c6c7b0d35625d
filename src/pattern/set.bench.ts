// How fast a pattern set is built, and how fast it reads lines, beside grep with the same rules on the same lines.
//   node src/pattern/set.bench.ts [MEGABYTES] [MEGABYTES FOR GREP]
// grep is left out unless asked for: in C.UTF-8 it needs half a minute to read the rules.
// Rules are Debian's for logcheck when installed; lines are made from a fixed seed. Rates are per second of CPU time
// of this process, so that other work on the machine disturbs them less; the wall clock is printed beside.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { compilePatternSet, type PatternSet } from "./set.ts";
import { debianMissing, debianRules, serverLines } from "./testing/debian.ts";
import { joinLines } from "./testing/grep.ts";

const BYTES_PER_LINE = 110;
const ROUNDS = 5;

const megabytes = Number(process.argv[2] ?? 20);
const grepMegabytes = Number(process.argv[3] ?? 0);
if (debianMissing !== null) {
  console.error(debianMissing);
  process.exit(1);
}

type Cost = { readonly cpuMs: number; readonly wallMs: number };

function cost(work: () => void): Cost {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(cpu);
  return { cpuMs: (user + system) / 1000, wallMs: performance.now() - wall };
}

function eachLine(haystack: Buffer, ask: (start: number, end: number) => void): void {
  for (let start = 0; start < haystack.length; ) {
    const end = haystack.indexOf(0x0a, start);
    ask(start, end);
    start = end + 1;
  }
}

function rate(bytes: number, ms: number): string {
  return `${(bytes / 1000 / ms).toFixed(0)} MB/s`;
}

function grepCost(rules: readonly Buffer[], haystack: Buffer, locale: string): Cost {
  const folder = mkdtempSync(join(tmpdir(), "tt-bench-"));
  try {
    writeFileSync(join(folder, "rules"), joinLines(rules));
    writeFileSync(join(folder, "lines"), haystack);
    const args = ["-E", "--text", "-v", "-c", "-f", "rules", "lines"];
    const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: locale };
    return cost(() => spawnSync("grep", args, { cwd: folder, env }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const rules = debianRules("/etc/logcheck/ignore.d.{paranoid,server}/*");
const haystack = joinLines(serverLines(Math.ceil((megabytes * 1e6) / BYTES_PER_LINE), 1));
const forGrep = haystack.subarray(0, haystack.lastIndexOf(0x0a, grepMegabytes * 1e6) + 1);
console.log(`Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}`);
console.log(`${rules.length} rules, ${(haystack.length / 1e6).toFixed(1)} MB of lines`);

for (const locale of ["C", "C.UTF-8"] as const) {
  let set: PatternSet | undefined;
  const built = cost(() => {
    set = compilePatternSet(rules, { locale }).set;
    set.matches(haystack, 0, haystack.indexOf(0x0a));
  });
  console.log(
    `${locale}: built and first line answered in ${built.wallMs.toFixed(0)} ms (${built.cpuMs.toFixed(0)} ms CPU)`,
  );
  const compiled = set!;
  const asks: Record<string, (start: number, end: number) => unknown> = {
    matches: (start, end) => compiled.matches(haystack, start, end),
    first: (start, end) => compiled.first(haystack, start, end),
    all: (start, end) => compiled.all(haystack, start, end),
  };
  for (const [name, ask] of Object.entries(asks)) {
    const rounds = Array.from({ length: ROUNDS }, () => cost(() => eachLine(haystack, ask)));
    const cpuMs = Math.min(...rounds.map((round) => round.cpuMs));
    const wallMs = Math.min(...rounds.map((round) => round.wallMs));
    console.log(
      `  ${name}: ${rate(haystack.length, cpuMs)} of CPU, ${rate(haystack.length, wallMs)} by the wall`,
    );
    if (name !== "matches" || grepMegabytes <= 0) continue;
    const grep = grepCost(rules, forGrep, locale);
    const ratio = grep.wallMs / forGrep.length / (wallMs / haystack.length);
    console.log(
      `  grep -E -v -f: ${rate(forGrep.length, grep.wallMs)} by the wall: ${ratio.toFixed(0)} times slower`,
    );
  }
  console.log(`  ${JSON.stringify(compiled.stats())}`);
}
