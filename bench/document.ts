// Writes docs/benchmarks.md from the newest record of each bench, so that no figure in it was typed.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { goalLines, tableOf } from "./figures.ts";
import { headingOf, summaryOf } from "./summary.ts";
import type { Bench, BenchRecord, CaseResult, Table } from "./types.ts";

/**
 * What is known of each bench, from all its records below `dir`: the newest one, and from earlier ones of the same
 * machine the cases that it has not.
 */
export function newestRecords(dir: string): Map<string, BenchRecord> {
  const known = new Map<string, BenchRecord>();
  const names = globSync("*-????-??-??.json", { cwd: dir }).sort((a, b) => (dateIn(a) < dateIn(b) ? 1 : -1));
  for (const name of names) {
    const record = JSON.parse(readFileSync(join(dir, name), "utf8")) as BenchRecord;
    const newer = known.get(record.bench);
    if (newer === undefined) known.set(record.bench, record);
    else if (isDeepStrictEqual(newer.machine, record.machine)) known.set(record.bench, joined(newer, record));
  }
  return known;
}

function joined(newer: BenchRecord, older: BenchRecord): BenchRecord {
  const more = older.cases.filter(({ name }) => !newer.cases.some((each) => each.name === name));
  return { ...newer, cases: [...newer.cases, ...more] };
}

const dateIn = (name: string): string => name.slice(-"2026-01-01.json".length);

/** All of docs/benchmarks.md. */
export function renderDocument(benches: readonly Bench[], records: ReadonlyMap<string, BenchRecord>): string {
  const parts = [
    `# Benchmarks

<!-- Written by "npm run bench" from bench/record/; changes made by hand are lost. -->

telltale beside the programs that it stands in for, at the same work, in one run, in turns. Wall time is the whole
command with its start-up; CPU time covers everything that it started; memory is the peak of its largest process. Each
figure is a median, with the least and the largest where there was more than one round; "telltale is" compares the first
column. A *limit* is not a rival: it is what the machine or the format allows. A case where telltale is behind says so, and so
does the summary. How it is run: \`npm run bench -- --help\`.
`,
  ];
  const measured = benches.map((bench) => ({ bench, results: casesOf(bench, records.get(bench.name)) }));
  parts.push(renderTable(summaryOf(measured)));
  for (const { bench, results } of measured) {
    const record = records.get(bench.name);
    if (record !== undefined && bench.document === undefined)
      parts.push(renderBench(bench, { ...record, cases: results }));
  }
  return parts.join("\n");
}

// In the order of the bench, and without cases that it no longer has.
function casesOf(bench: Bench, record: BenchRecord | undefined): CaseResult[] {
  return bench.cases(1).flatMap(({ name }) => record?.cases.find((each) => each.name === name) ?? []);
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
  const across = bench.across?.(record.cases) ?? [];
  return [
    heading,
    ...across.map((table) => `#${renderTable(table)}`),
    ...record.cases.map((result) => renderCase(headingOf(bench, result.name), result, bench.rows ?? tableOf)),
  ].join("\n");
}

function renderTable({ title, about, rows }: Table): string {
  return [`## ${title}`, "", about, "", ...markdownRows(rows), ""].join("\n");
}

function markdownRows(rows: readonly (readonly string[])[]): string[] {
  const width = rows[0]!.length;
  const cells = rows.map((row) => [...row, ...Array<string>(width - row.length).fill("")]);
  const line = (row: readonly string[]) =>
    `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const [heading, ...body] = cells;
  return [
    line(heading!),
    line(heading!.map((_, column) => (column > 0 && isOfFigures(body, column) ? "---:" : "---"))),
    ...body.map(line),
  ];
}

// Figures stand below each other by their last digit, words by their first letter.
function isOfFigures(body: readonly (readonly string[])[], column: number): boolean {
  const cells = body.map((row) => row[column] ?? "").filter((cell) => cell !== "");
  return 2 * cells.filter((cell) => /^[-–<\d]/.test(cell)).length > cells.length;
}

function renderCase(heading: string, result: CaseResult, rowsOf: (result: CaseResult) => string[][]): string {
  const notes = [...goalLines(result), ...(result.agreement === null ? [] : [result.agreement])];
  return [
    `### ${heading}`,
    "",
    result.what,
    "",
    ...markdownRows(rowsOf(result)),
    "",
    ...notes.map((note) => `- ${note}`),
    ...(notes.length === 0 ? [] : [""]),
    "<details>",
    `<summary>Measured on ${result.at.slice(0, 10)}: how</summary>`,
    "",
    `- \`${result.command}\` at commit ${result.commit}, load average ${result.load} when it began`,
    ...result.contenders.map(({ name, command, obstacle }) =>
      obstacle === null ? `- ${name}: \`${command}\`` : `- ${name}: not run: ${obstacle.split("\n")[0]}`,
    ),
    "",
    "</details>",
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
      write(bench.document, renderDetection(bench, { ...record, cases: casesOf(bench, record) }));
  }
  return written;
}
