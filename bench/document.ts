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

/** All of docs/benchmarks.md. */
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
    if (record !== undefined && bench.document === undefined) parts.push(renderBench(bench, record));
  }
  return parts.join("\n");
}

/** All of docs/detection.md. */
export function renderDetection(bench: Bench, record: BenchRecord): string {
  return `# Detection

<!-- Written by "npm run bench" from bench/record/; changes made by hand are lost. -->

What each guard notices, and whom it accuses wrongly. A number says how many different ports (or protocols) were on
the wire when the guard spoke up; "all N, T later" that it spoke up T after the scan was over. Where a peer needs fewer,
or accuses fewer, the row says that telltale is BEHIND.

${renderBench(bench, record)}`;
}

function renderBench(bench: Bench, record: BenchRecord): string {
  const { machine } = record;
  const versions = Object.entries(record.versions).map(([name, version]) => `${name} ${version}`);
  const heading = `## ${bench.title}

${bench.about}

${record.date}, ${machine.cpu}, ${machine.cores} cores, ${(machine.memoryMb / 1_000).toFixed(0)} GB of memory, Linux ${machine.kernel}, Node ${record.node}${versions.length === 0 ? "" : `; ${versions.join(", ")}`}.
Record: [${bench.name}-${record.date}.json](../bench/record/${bench.name}-${record.date}.json).
`;
  return [heading, ...record.cases.map((result) => renderCase(result, bench.rows ?? tableOf))].join("\n");
}

function renderCase(result: CaseResult, rowsOf: (result: CaseResult) => string[][]): string {
  const rows = rowsOf(result);
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
    ...result.contenders.map(({ name, command, obstacle }) =>
      obstacle === null ? `- ${name}: \`${command}\`` : `- ${name}: not run: ${obstacle.split("\n")[0]}`,
    ),
    "",
  ].join("\n");
}

/** Writes the documents beside the others; returns their paths. */
export function writeDocuments(benches: readonly Bench[]): string[] {
  const records = newestRecords(join(import.meta.dirname, "record"));
  const written: string[] = [];
  const write = (name: string, text: string): void => {
    const path = join(import.meta.dirname, "../docs", name);
    writeFileSync(path, text);
    written.push(path);
  };
  write("benchmarks.md", renderDocument(benches, records));
  for (const bench of benches) {
    const record = records.get(bench.name);
    if (bench.document !== undefined && record !== undefined)
      write(bench.document, renderDetection(bench, record));
  }
  return written;
}
