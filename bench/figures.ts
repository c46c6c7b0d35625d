// Works out from samples what is printed: medians, spans, ratios, and whether a goal was reached. A case in which
// telltale is behind says so in the same words as one in which it is ahead.
import type { CaseResult, ContenderResult, Goal, Metric, Sample, Unit } from "./types.ts";

export type Summary = { readonly median: number; readonly min: number; readonly max: number };

/** Median, least and largest of a metric, or null when no sample has it. */
export function summarise(samples: readonly Sample[], key: string): Summary | null {
  const values = samples.map((sample) => sample[key]).filter((value) => value !== undefined);
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** A number as it is read most easily: three digits that count, but of a count all, and its unit. */
export function figure(value: number, unit: Unit): string {
  if (unit === "ms" && Math.abs(value) >= 1_000) return `${short(value / 1_000)} s`;
  if (unit === "count") return short(value);
  return `${short(isRate(unit) ? Number(value.toPrecision(3)) : value)} ${unit}`;
}

function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(size >= 1 ? 3 : 2);
}

const isRate = (unit: Unit): boolean => unit.endsWith("/s");

/** A figure of this metric, which is counted in steps. */
export function measured(value: number, { unit, step = 0 }: Pick<Metric, "unit" | "step">): string {
  return Math.abs(value) < step ? `< ${figure(step, unit)}` : figure(value, unit);
}

/** "median (least–largest)", the unit once where it is the same; "–" without a sample. */
export function span(summary: Summary | null, metric: Pick<Metric, "unit" | "step">): string {
  if (summary === null) return "–";
  const [median, min, max] = [summary.median, summary.min, summary.max].map((each) => measured(each, metric));
  if (min === max) return median!;
  const unitOf = (text: string): string => text.slice(text.lastIndexOf(" ") + 1);
  const isPlain = [median, min, max].every((text) => /^[\d.,]+ \S+$/.test(text!));
  const isSame = isPlain && unitOf(min!) === unitOf(median!) && unitOf(max!) === unitOf(median!);
  const bare = (text: string): string => (isSame ? text.slice(0, text.lastIndexOf(" ")) : text);
  return `${median} (${bare(min!)}${isSame || metric.unit === "count" ? "–" : " – "}${bare(max!)})`;
}

/**
 * How many times better telltale is than `other` in this metric: above 1 it is ahead, below 1 behind, infinite
 * where only one of them has something to improve on. Null when one has no figure, or the metric has no better end.
 */
export function ratioOver(telltale: ContenderResult, other: ContenderResult, metric: Metric): number | null {
  const ours = summarise(telltale.samples, metric.key)?.median;
  const theirs = summarise(other.samples, metric.key)?.median;
  if (ours === undefined || theirs === undefined || metric.better === "neither") return null;
  if (ours === theirs) return 1; // both may be 0
  return metric.better === "less" ? theirs / ours : ours / theirs;
}

/** The rows of a case's table, heading first; each cell is plain text. */
export function tableOf(result: CaseResult): string[][] {
  const telltale = result.contenders.find(({ role }) => role === "telltale");
  const [first] = result.metrics;
  const shown = result.metrics.filter(({ key }) =>
    result.contenders.some(({ samples }) => summarise(samples, key) !== null),
  );
  const rows = [["", ...shown.map(({ title }) => title), "telltale is", "rounds"]];
  for (const contender of result.contenders) {
    if (contender.obstacle !== null) {
      rows.push([nameOf(contender), `not run: ${contender.obstacle.split("\n")[0]}`]);
      continue;
    }
    const ratio =
      telltale === undefined || contender === telltale || first === undefined
        ? null
        : ratioOver(telltale, contender, first);
    rows.push([
      nameOf(contender),
      ...shown.map((metric) => span(summarise(contender.samples, metric.key), metric)),
      ratio === null || first === undefined ? "" : comparison(ratio, first),
      String(contender.samples.length),
    ]);
  }
  return rows;
}

function nameOf(contender: ContenderResult): string {
  return contender.role === "limit" ? `limit: ${contender.name}` : contender.name;
}

/** A ratio in words: "3.00× faster", "1.20× worse"; beside nothing there is none. */
export function comparison(ratio: number, metric: Metric): string {
  const isTime = metric.unit === "ms" || metric.unit === "s" || metric.unit === "µs";
  if (ratio === Number.POSITIVE_INFINITY) return "ahead (one is 0)";
  if (ratio === 0) return "behind (one is 0)";
  const [ahead, behind] = isTime || isRate(metric.unit) ? ["faster", "slower"] : ["better", "worse"];
  return ratio >= 1 ? `${times(ratio)} ${ahead}` : `${times(1 / ratio)} ${behind}`;
}

const times = (ratio: number): string =>
  ratio === Number.POSITIVE_INFINITY
    ? "one is 0"
    : `${ratio >= 10 ? Math.round(ratio).toLocaleString("en-US") : ratio.toFixed(2)}×`;

/** A goal, and what came of it: `reached` is null where something was not measured. */
export type Outcome = {
  readonly metric: string;
  readonly wanted: string;
  readonly found: string;
  readonly reached: boolean | null;
};

/** What came of each goal of a case. */
export function goalOutcomes(result: CaseResult): Outcome[] {
  const telltale = result.contenders.find(({ role }) => role === "telltale");
  if (telltale === undefined) return [];
  return result.goals.map((goal) => outcomeOf(goal, result, telltale));
}

/** One line for each goal of a case: what was wanted, what was found, reached or not. */
export function goalLines(result: CaseResult): string[] {
  return goalOutcomes(result).map(({ wanted, found, reached }) =>
    reached === null
      ? `goal: ${wanted}; not measured`
      : `goal: ${wanted}; ${reached ? "reached" : "BEHIND"}: ${found}`,
  );
}

function outcomeOf(goal: Goal, result: CaseResult, telltale: ContenderResult): Outcome {
  const metric = result.metrics.find(({ key }) => key === goal.metric);
  if (metric === undefined)
    throw new Error(`${result.name}: a goal names ${goal.metric}, which is no metric`);
  const of = (wanted: string, found: string, reached: boolean | null): Outcome => ({
    metric: metric.title,
    wanted: `${metric.title} ${wanted}`,
    found,
    reached,
  });
  if ("atMost" in goal) {
    const wanted = `at most ${figure(goal.atMost, metric.unit)}`;
    const ours = summarise(telltale.samples, goal.metric)?.median;
    return ours === undefined
      ? of(wanted, "", null)
      : of(wanted, measured(ours, metric), ours <= goal.atMost);
  }
  const wanted =
    "within" in goal
      ? `at most ${Math.round((goal.within - 1) * 100)} % above ${goal.over}`
      : goal.ratioAtLeast === 1
        ? `no worse than ${goal.over}`
        : `${goal.ratioAtLeast}× better than ${goal.over}`;
  const other = result.contenders.find(({ name }) => name === goal.over);
  const ratio = other === undefined ? null : ratioOver(telltale, other, metric);
  if (ratio === null) return of(wanted, "", null);
  if ("within" in goal)
    return of(wanted, `${((1 / ratio - 1) * 100).toFixed(1)} %`, 1 / ratio <= goal.within);
  return of(wanted, times(ratio), ratio >= goal.ratioAtLeast);
}

/** Rows as columns of a terminal, two spaces apart. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const full = rows.filter((row) => row.length > 2);
  const widths = (full[0] ?? []).map((_, column) => Math.max(...full.map((row) => row[column]?.length ?? 0)));
  const first = Math.max(...rows.map((row) => row[0]?.length ?? 0));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(column === 0 ? first : (widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
