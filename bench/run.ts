// npm run bench: runs benches beside the peers, prints their tables, keeps the figures, and writes the document. It
// fails when telltale or the bench itself fails, never because something was slow.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkBench } from "./check.bench.ts";
import { detectionBench } from "./detection.bench.ts";
import { writeDocuments } from "./document.ts";
import { alignColumns, goalLines, tableOf } from "./figures.ts";
import { guardBench } from "./guard.bench.ts";
import { commitName, loadNow, machineFacts, packageVersions } from "./machine.ts";
import { measuringObstacle, runCase } from "./measure.ts";
import { keepRecord } from "./record.ts";
import { respondBench } from "./respond.bench.ts";
import { rotateBench } from "./rotate.bench.ts";
import { makeScratch } from "./scratch.ts";
import { sentryBench } from "./sentry.bench.ts";
import type { Bench, Case, CaseResult } from "./types.ts";

const BENCHES: readonly Bench[] = [
  rotateBench,
  checkBench,
  detectionBench,
  sentryBench,
  respondBench,
  guardBench,
];
const HIGHEST_BUDGET = 24 * 60;

const USAGE = `usage: npm run bench -- [BENCH...] [--only TEXT] [--rounds N] [--budget MINUTES] [--scale X] [--list] [--document]

Runs telltale beside its peers on the same work and prints medians, spans and ratios.
BENCH is ${BENCHES.map(({ name }) => name).join(", ")}; all, or none named: all of them.

  --only TEXT   only cases whose name holds TEXT (may be given again)
  --rounds N    rounds for each contender (3)
  --budget MIN  minutes for one case (20): after them nobody begins another round
  --scale X     material times X, for a short look: such a run is not recorded
  --no-record   print only
  --list        list the cases
  --document    write docs/benchmarks.md and docs/detection.md from the records, and run nothing
`;

process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));
// What is left of a contender that was ended may still complain; the others go on.
process.on("unhandledRejection", (error) => process.stderr.write(`bench: ${describe(error)}\n`));
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let request: ReturnType<typeof readRequest>;
  try {
    request = readRequest(argv);
  } catch (error) {
    process.stderr.write(`bench: ${describe(error)}\n${USAGE}`);
    return 64;
  }
  const { values, positionals } = request;
  const rounds = Number(values.rounds);
  const scale = Number(values.scale);
  const budget = Number(values.budget);
  const isAll = positionals.length === 0 || positionals.includes("all");
  const unknown = positionals.find((name) => name !== "all" && !BENCHES.some((bench) => bench.name === name));
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (unknown !== undefined) {
    process.stderr.write(`bench: no bench "${unknown}"\n${USAGE}`);
    return 64;
  }
  if (
    !(Number.isInteger(rounds) && rounds > 0) ||
    !(scale > 0) ||
    !(budget > 0 && budget <= HIGHEST_BUDGET)
  ) {
    process.stderr.write(
      `bench: --rounds wants a whole number above 0, found "${values.rounds}"; --scale one above 0, found "${values.scale}"; --budget 1 to ${HIGHEST_BUDGET} minutes, found "${values.budget}"\n${USAGE}`,
    );
    return 64;
  }
  if (values.document) {
    process.stdout.write(`${writeDocuments(BENCHES).join("\n")}\n`);
    return 0;
  }
  const wanted = BENCHES.filter(({ name }) => isAll || positionals.includes(name));
  const isWanted = (each: Case) =>
    values.only.length === 0
      ? each.onlyWhenNamed !== true
      : values.only.some((text) => each.name.includes(text));
  if (values.list) {
    for (const bench of wanted) {
      for (const each of bench.cases(scale))
        process.stdout.write(`${bench.name}  ${each.name}  ${each.what}\n`);
    }
    return 0;
  }
  const obstacle = measuringObstacle();
  if (obstacle !== null) {
    process.stderr.write(`bench: ${obstacle}\n`);
    return 69;
  }
  let failed = false;
  for (const bench of wanted) {
    const cases = bench.cases(scale);
    const results: CaseResult[] = [];
    for (const each of cases.filter(isWanted)) {
      const result = await runOne(bench, each, { rounds, budgetMs: budget * 60_000 }).catch(
        (error: unknown) => {
          process.stderr.write(`bench: ${bench.name} ${each.name} could not be set up: ${describe(error)}\n`);
          return null;
        },
      );
      if (result === null) {
        failed = true;
        continue;
      }
      failed ||= result.contenders.some(
        ({ role, obstacle: why, samples }) => role === "telltale" && why !== null && samples.length === 0,
      );
      results.push(result);
      // Kept after every case, so that what was measured before a failure is not lost.
      if (!values["no-record"] && scale === 1) keep(bench, [result], cases);
    }
    if (results.length === 0) process.stderr.write(`bench: no case of ${bench.name} fits --only\n`);
  }
  if (!values["no-record"] && scale === 1)
    process.stderr.write(`bench: wrote ${writeDocuments(BENCHES).join(", ")}\n`);
  return failed ? 1 : 0;
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function readRequest(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "3" },
      budget: { type: "string", default: "20" },
      scale: { type: "string", default: "1" },
      "no-record": { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      document: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

async function runOne(
  bench: Bench,
  each: Case,
  { rounds, budgetMs }: { rounds: number; budgetMs: number },
): Promise<CaseResult> {
  using scratch = makeScratch();
  const say = (text: string) => process.stderr.write(`  ${text}\n`);
  process.stderr.write(`${bench.name}: ${each.name}, in ${scratch.kind}\n`);
  const load = loadNow();
  const ran = await runCase(each, scratch.dir, rounds, budgetMs, say);
  const result: CaseResult = {
    name: each.name,
    what: each.what,
    metrics: each.metrics,
    goals: each.goals,
    ...ran,
    at: new Date().toISOString(),
    commit: commitName(),
    load,
    command: `npm run bench -- ${bench.name} --only ${each.name} --rounds ${rounds}`,
  };
  const notes = [...goalLines(result), ...(result.agreement === null ? [] : [result.agreement])];
  process.stdout.write(
    `\n${bench.name}: ${each.name}\n${each.what}\n\n${alignColumns((bench.rows ?? tableOf)(result))}\n${notes.map((note) => `  ${note}\n`).join("")}\n`,
  );
  return result;
}

function keep(bench: Bench, results: readonly CaseResult[], cases: readonly Case[]): void {
  keepRecord(
    {
      bench: bench.name,
      date: new Date().toISOString().slice(0, 10),
      machine: machineFacts(),
      node: process.versions.node,
      versions: packageVersions(bench.packages),
      cases: results,
    },
    cases.map(({ name }) => name),
    join(import.meta.dirname, "record"),
  );
}
