// Writes docs/benchmarks.md from the newest record of each bench, so that no figure in it was typed.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goalLines, tableOf } from "./figures.ts";
import type { Bench, BenchRecord, CaseResult } from "./types.ts";

/** The newest record of each bench below `dir`, by the date in its name. */
export function newestRecords(dir: string): Map<string, BenchRecord> {
  const newest = new Map<string, BenchRecord>();
  for (const name of globSync("*-????-??-??.json", { cwd: dir }).sort((a, b) =>
    dateIn(a) < dateIn(b) ? -1 : 1,
  )) {
    const record = JSON.parse(readFileSync(join(dir, name), "utf8")) as BenchRecord;
    newest.set(record.bench, record);
  }
  return newest;
}

const dateIn = (name: string): string => name.slice(-"2026-01-01.json".length);

/** The whole document. */
export function renderDocument(benches: readonly Bench[], records: ReadonlyMap<string, BenchRecord>): string {
  const parts = [
    `# Benchmarks

<!-- Written by "npm run bench" from bench/record/; changes made by hand are lost. -->

telltale beside the programs that it stands in for, at the same work, in one run, in turns. Wall time is the whole
command with its start-up; CPU time covers everything that it started; memory is the peak of its largest process. Each
figure is a median, with the least and the largest; "telltale is" compares the first column. A *limit* is not a rival:
it is what the machine or the format allows. A case where telltale is behind says so.
`,
  ];
  for (const bench of benches) {
    const record = records.get(bench.name);
    if (record === undefined) continue;
    const { machine } = record;
    const versions = Object.entries(record.versions).map(([name, version]) => `${name} ${version}`);
    parts.push(`## ${bench.title}

${bench.about}

${record.date}, ${machine.cpu}, ${machine.cores} cores, ${(machine.memoryMb / 1_000).toFixed(0)} GB of memory, Linux ${machine.kernel}, Node ${record.node}${versions.length === 0 ? "" : `; ${versions.join(", ")}`}.
Record: [${bench.name}-${record.date}.json](../bench/record/${bench.name}-${record.date}.json).
`);
    for (const result of record.cases) parts.push(renderCase(result));
  }
  return parts.join("\n");
}

function renderCase(result: CaseResult): string {
  const rows = tableOf(result);
  const width = rows[0]!.length;
  const cells = rows.map((row) => [...row, ...Array<string>(width - row.length).fill("")]);
  const line = (row: readonly string[]) =>
    `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const [heading, ...body] = cells;
  const notes = [...goalLines(result), ...(result.agreement === null ? [] : [result.agreement])];
  return [
    `### ${result.name}`,
    "",
    result.what,
    "",
    line(heading!),
    line(heading!.map((_, column) => (column === 0 ? "---" : "---:"))),
    ...body.map(line),
    "",
    ...notes.map((note) => `- ${note}`),
    `- measured by \`${result.command}\` at commit ${result.commit}, load average ${result.load} when it began`,
    ...result.contenders.map(({ name, command }) => `- ${name}: \`${command}\``),
    "",
  ].join("\n");
}

/** Writes the document beside the other documentation; returns its path. */
export function writeDocument(benches: readonly Bench[]): string {
  const path = join(import.meta.dirname, "../docs/benchmarks.md");
  writeFileSync(path, renderDocument(benches, newestRecords(join(import.meta.dirname, "record"))));
  return path;
}
