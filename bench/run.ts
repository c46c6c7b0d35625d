// npm run bench: runs benches beside the peers, prints their tables, keeps the figures, and writes the document. It
// fails when telltale or the bench itself fails, never because something was slow.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkBench } from "./check.bench.ts";
import { detectionBench } from "./detection.bench.ts";
import { newestRecords, writeDocuments } from "./document.ts";
import { alignColumns, goalLines, tableOf } from "./figures.ts";
import { guardBench } from "./guard.bench.ts";
import { commitName, isSameProgram, loadNow, machineFacts, packageVersions } from "./machine.ts";
import { measuringObstacle, runCase } from "./measure.ts";
import {
  chosen,
  durationOf,
  estimateS,
  furtherRounds,
  guess,
  shortestFirst,
  spoken,
  spokenS,
} from "./plan.ts";
import { keepRecord } from "./record.ts";
import { respondBench } from "./respond.bench.ts";
import { roundsOf, stillTrue } from "./resume.ts";
import { rotateBench } from "./rotate.bench.ts";
import { makeScratch } from "./scratch.ts";
import { sentryBench } from "./sentry.bench.ts";
import type { Bench, Case, CaseResult, Duration } from "./types.ts";

const BENCHES: readonly Bench[] = [
  rotateBench,
  checkBench,
  detectionBench,
  sentryBench,
  respondBench,
  guardBench,
];
const HIGHEST_BUDGET = 24 * 60;
const RECORDS = join(import.meta.dirname, "record");

const USAGE = `usage: npm run bench -- [BENCH...] [--only TEXT] [--rounds N] [--budget MINUTES] [--resume] [--scale X]
       npm run bench -- --list | --document

Runs telltale beside its peers on the same work and prints medians, spans and ratios.
BENCH is ${BENCHES.map(({ name }) => name).join(", ")}; all, or none named: all of them.

  --only TEXT   only the case of that name, or those whose names hold TEXT (may be given again)
  --rounds N    rounds for each contender (3)
  --budget MIN  minutes for the run (${HIGHEST_BUDGET}): every case gets one round, the shortest first, and then as many
                more as fit
  --resume      leave out what the records already hold of telltale as it is now: a run of everything in pieces, of
                "--resume --budget 30" each, or one that was broken off
  --scale X     material times X, for a short look: such a run is not recorded
  --no-record   print only
  --list        list the cases, and how long each takes with --rounds, by its last record
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
  const all = wanted.flatMap((bench) => bench.cases(scale).map((each) => ({ bench, each })));
  const named = chosen(all, values.only, ({ each }) => each.name);
  if (named.length === 0) {
    process.stderr.write(
      `bench: no case is called like ${values.only.map((text) => `"${text}"`).join(", ")}\n`,
    );
    return 64;
  }
  const held = values.resume
    ? stillTrue(newestRecords(RECORDS).values(), machineFacts(), isSameProgram)
    : new Map<string, CaseResult>();
  const turns = named.filter((turn) => roundsOf(held.get(nameOf(turn))) < rounds);
  if (turns.length < named.length)
    process.stderr.write(`bench: ${named.length - turns.length} of ${named.length} need no further round\n`);
  if (values.list) {
    process.stdout.write(listing(turns, rounds));
    return 0;
  }
  const obstacle = measuringObstacle();
  if (obstacle !== null) {
    process.stderr.write(`bench: ${obstacle}\n`);
    return 69;
  }
  const isRecorded = !values["no-record"] && scale === 1;
  const failed = await runAll(turns, rounds, performance.now() + budget * 60_000, isRecorded, held);
  if (isRecorded) process.stderr.write(`bench: wrote ${writeDocuments(BENCHES).join(", ")}\n`);
  return failed ? 1 : 0;
}

type Turn = { readonly bench: Bench; readonly each: Case };

function nameOf({ bench, each }: Turn): string {
  return `${bench.name} ${each.name}`;
}

type Durations = (turn: Turn) => Duration | null;

/** From the records, or by guess. */
function knownDurations(): Durations {
  const known = new Map<string, Duration | null>();
  for (const { bench, cases } of newestRecords(RECORDS).values())
    for (const result of cases) known.set(`${bench} ${result.name}`, durationOf(result));
  return (turn) => known.get(nameOf(turn)) ?? guess(turn.each);
}

function listing(turns: readonly Turn[], rounds: number): string {
  const durationIn = knownDurations();
  const lines = turns.map((turn) => {
    const { bench, each } = turn;
    return `${bench.name}  ${each.name}  ${spoken(durationIn(turn), rounds)}  ${each.what}\n`;
  });
  const totalS = turns.reduce((sum, turn) => sum + estimateS(durationIn(turn), rounds), 0);
  return `${lines.join("")}${turns.length === 1 ? "1 case" : `${turns.length} cases`}, about ${spokenS(totalS)} with --rounds ${rounds}\n`;
}

// Kept after every case, so that what was measured before a failure is not lost. Returns whether something failed.
async function runAll(
  turns: readonly Turn[],
  rounds: number,
  endMs: number,
  isRecorded: boolean,
  held: ReadonlyMap<string, CaseResult>,
): Promise<boolean> {
  let failed = false;
  const results = new Map<Turn, CaseResult>();
  for (const turn of turns) {
    const known = held.get(nameOf(turn));
    if (known !== undefined) results.set(turn, known);
  }
  const play = async (turn: Turn, upTo: number): Promise<void> => {
    const { bench, each } = turn;
    const earlier = results.get(turn) ?? null;
    const result = await runOne(bench, each, upTo, endMs, earlier).catch((error: unknown) => {
      process.stderr.write(`bench: ${bench.name} ${each.name} could not be set up: ${describe(error)}\n`);
      return null;
    });
    if (result === null) {
      failed = true;
      return;
    }
    failed ||= result.contenders.some(
      ({ role, obstacle, samples }) => role === "telltale" && obstacle !== null && samples.length === 0,
    );
    results.set(turn, result);
    if (isRecorded) keep(bench, result);
  };
  const first = turns.length === 1 ? rounds : 1;
  const unknown = turns.filter((turn) => !results.has(turn));
  for (const turn of shortestFirst(unknown, knownDurations())) await play(turn, first);
  const took = (turn: Turn): Duration | null => results.get(turn)?.took ?? null;
  const again = shortestFirst([...results.keys()], took);
  for (const [n, turn] of again.entries()) {
    const leftS = (endMs - performance.now()) / 1_000;
    const had = roundsOf(results.get(turn));
    const more = furtherRounds(took(turn), rounds - had, leftS, again.length - n);
    if (more > 0) await play(turn, had + more);
  }
  return failed;
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function readRequest(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "3" },
      budget: { type: "string", default: String(HIGHEST_BUDGET) },
      resume: { type: "boolean", default: false },
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
  rounds: number,
  endMs: number,
  earlier: CaseResult | null,
): Promise<CaseResult> {
  using scratch = makeScratch();
  const say = (text: string) => process.stderr.write(`  ${text}\n`);
  process.stderr.write(`${bench.name}: ${each.name}, in ${scratch.kind}\n`);
  const load = loadNow();
  const extent = { rounds, budgetMs: endMs - performance.now(), earlier: earlier?.contenders ?? [] };
  const ran = await runCase(each, scratch.dir, extent, say);
  const result: CaseResult = {
    name: each.name,
    what: each.what,
    metrics: each.metrics,
    goals: each.goals,
    ...ran,
    took: earlier?.took ?? ran.took,
    at: new Date().toISOString(),
    commit: commitName(),
    load: Math.max(load, earlier?.load ?? 0),
    command: `npm run bench -- ${bench.name} --only ${each.name} --rounds ${rounds}`,
  };
  const notes = [...goalLines(result), ...(result.agreement === null ? [] : [result.agreement])];
  process.stdout.write(
    `\n${bench.name}: ${each.name}\n${each.what}\n\n${alignColumns((bench.rows ?? tableOf)(result))}\n${notes.map((note) => `  ${note}\n`).join("")}\n`,
  );
  return result;
}

function keep(bench: Bench, result: CaseResult): void {
  keepRecord(
    {
      bench: bench.name,
      date: new Date().toISOString().slice(0, 10),
      machine: machineFacts(),
      node: process.versions.node,
      versions: packageVersions(bench.packages),
      cases: [result],
    },
    bench.cases(1).map(({ name }) => name),
    RECORDS,
  );
}
