// All cases on one screen: who was best beside telltale, how they compare, and whether what was wanted is reached. A
// case in which telltale is behind cannot hide in its own section.
import { comparison, goalOutcomes, measured, ratioOver, summarise } from "./figures.ts";
import type { Bench, CaseResult, ContenderResult, Metric, Table } from "./types.ts";

const NOT_MEASURED = "not measured yet";

/** One row for each case of these benches; cases that were never measured say so. */
export function summaryOf(
  benches: readonly { readonly bench: Bench; readonly results: readonly CaseResult[] }[],
): Table {
  const titles = ["case", "measured", "telltale", "best peer", "telltale is", "limit", "goals"];
  const rows = benches.flatMap(({ bench, results }) => {
    const known = new Map(results.map((result) => [result.name, result]));
    return bench.cases(1).map(({ name, metrics }) => {
      const result = known.get(name);
      const heading = headingOf(bench, name);
      if (result === undefined) return [heading, metrics[0]?.title ?? "", NOT_MEASURED, "", "", "", ""];
      const label = `[${heading}](${bench.document ?? ""}#${anchorOf(heading)})`;
      return [label, ...(bench.rows === undefined ? rowOf(result) : tally(bench.rows(result)))];
    });
  });
  return {
    title: "Summary",
    about: `${countOf(rows)} The first figure of each case; the best peer is the one with the best median in it.`,
    rows: [titles, ...rows],
  };
}

/** What stands above a case in its document. */
export const headingOf = (bench: Pick<Bench, "name">, name: string): string => `${bench.name}: ${name}`;

// GitHub's anchor of a heading.
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

function countOf(rows: readonly (readonly string[])[]): string {
  const behind = rows.filter((row) => row.at(-1)!.startsWith("BEHIND")).length;
  const open = rows.filter((row) => row[2] === NOT_MEASURED).length;
  const reached = rows.length - behind - open;
  return `Of ${rows.length} cases, ${reached} reached what was wanted, ${behind} BEHIND, ${open} not measured.`;
}

function rowOf(result: CaseResult): string[] {
  const [metric] = result.metrics;
  if (metric === undefined) return ["", "", "", "", "", ""];
  const telltale = result.contenders.find(({ role }) => role === "telltale");
  const rival = best(result, "peer", metric);
  const ratio = telltale === undefined || rival === null ? null : ratioOver(telltale, rival, metric);
  return [
    metric.title,
    telltale === undefined ? "–" : medianOf(telltale, metric),
    rival === null ? "–" : `${medianOf(rival, metric)} (${rival.name})`,
    ratio === null ? "" : comparison(ratio, metric),
    limitOf(result),
    standing(result, telltale, ratio),
  ];
}

// Of the first figure that a limit has: of a flood that is not what the guard is measured by, but what was sent.
function limitOf(result: CaseResult): string {
  for (const metric of result.metrics) {
    const limit = best(result, "limit", metric);
    if (limit === null) continue;
    const what = metric === result.metrics[0] ? "" : `${metric.title}, `;
    return `${medianOf(limit, metric)} (${what}${limit.name})`;
  }
  return "";
}

function best(result: CaseResult, role: ContenderResult["role"], metric: Metric): ContenderResult | null {
  const value = (contender: ContenderResult) => summarise(contender.samples, metric.key)?.median;
  const able = result.contenders.filter((each) => each.role === role && value(each) !== undefined);
  const [first, ...others] = able;
  if (first === undefined) return null;
  const isBetter = (a: ContenderResult, b: ContenderResult) =>
    metric.better === "more" ? value(a)! > value(b)! : value(a)! < value(b)!;
  return others.reduce((so, each) => (isBetter(each, so) ? each : so), first);
}

const medianOf = (contender: ContenderResult, metric: Metric): string => {
  const median = summarise(contender.samples, metric.key)?.median;
  return median === undefined ? "–" : measured(median, metric);
};

function standing(result: CaseResult, telltale: ContenderResult | undefined, ratio: number | null): string {
  if (telltale === undefined || telltale.samples.length === 0) return "BEHIND: telltale has no figure";
  const outcomes = goalOutcomes(result);
  const missed = outcomes.filter(({ reached }) => reached === false);
  if (missed.length > 0) {
    return `BEHIND: ${missed.map(({ metric, found }) => `${metric} (${found})`).join("; ")}`;
  }
  if (ratio !== null && ratio < 1) return "BEHIND that peer";
  const open = outcomes.filter(({ reached }) => reached === null).length;
  if (open > 0) return `${open} of ${outcomes.length} not measured`;
  return outcomes.length === 0 ? "" : "reached";
}

// Where contenders are columns, each row says at its end how telltale stands.
function tally(rows: readonly (readonly string[])[]): string[] {
  const verdicts = rows.slice(1).map((row) => row.at(-1) ?? "");
  const count = (word: string) => verdicts.filter((verdict) => verdict.startsWith(word)).length;
  const behind = count("BEHIND");
  return [
    `${verdicts.length} rows`,
    `ahead in ${count("ahead")}, level in ${count("level")}`,
    behind === 0 ? "–" : `ahead in ${behind}`,
    "",
    "",
    behind === 0 ? "reached" : `BEHIND in ${behind}`,
  ];
}
