// The two tables of docs/detection.md, from samples: a row for each scan or each kind of ordinary traffic, a column for
// each guard, medians of the rounds in the cells. A row in which telltale is behind another says so.
import { figure, summarise } from "./figures.ts";
import type { CaseResult, ContenderResult } from "./types.ts";

/** Heading first; the last column compares. */
export function detectionRows(result: CaseResult): string[][] {
  const ran = result.contenders.filter(({ samples }) => samples.length > 0);
  const isScans = result.metrics.some(({ key }) => key.endsWith(" until"));
  const suffix = isScans ? " until" : " accused";
  const rounds = Math.max(0, ...ran.map(({ samples }) => samples.length));
  const heading = rounds === 1 ? "one round" : `median of ${rounds} rounds`;
  const rows = [[heading, ...ran.map(({ name }) => name), "telltale is"]];
  for (const metric of result.metrics) {
    if (!metric.key.endsWith(suffix)) continue;
    const id = metric.key.slice(0, -suffix.length);
    if (
      !ran.some(({ samples }) => samples.some((sample) => `${id} ${isScans ? "sent" : "sources"}` in sample))
    )
      continue;
    const cells = ran.map((contender) => (isScans ? scanCell(contender, id) : accusedCell(contender, id)));
    rows.push([
      metric.title,
      ...cells,
      isScans ? scanStanding(ran, id) : standing(ran, (one) => median(one, metric.key)),
    ]);
  }
  return rows;
}

const median = (contender: ContenderResult, key: string): number | null =>
  summarise(contender.samples, key)?.median ?? null;

function scanCell(contender: ContenderResult, id: string): string {
  const sent = median(contender, `${id} sent`);
  if (sent === null) return "–";
  const through = median(contender, `${id} through`);
  const until = median(contender, `${id} until`);
  if (until === null) return "not noticed";
  const seen = contender.samples.filter((sample) => sample[`${id} noticed`] === 1).length;
  const share = seen === contender.samples.length ? "" : `in ${seen} of ${contender.samples.length} rounds: `;
  const lateMs = median(contender, `${id} lateMs`) ?? 0;
  const unused = median(contender, `${id} unused`);
  const when =
    until >= sent && lateMs > 0
      ? `all ${figure(sent, "count")}, ${figure(lateMs, "ms")} later`
      : figure(until, "count") + (unused === null ? "" : ` (${figure(unused, "count")})`);
  return `${share}${when}${through === null || through >= sent ? "" : `; ${figure(through, "count")} came through`}`;
}

function accusedCell(contender: ContenderResult, id: string): string {
  const sources = median(contender, `${id} sources`);
  const accused = median(contender, `${id} accused`);
  if (sources === null || accused === null) return "–";
  return accused === 0 ? "none" : `${figure(accused, "count")} of ${figure(sources, "count")}`;
}

/** By unused ports; records from before those were counted have the ports alone. */
function scanStanding(ran: readonly ContenderResult[], id: string): string {
  const isCounted = ran
    .filter(({ role }) => role === "telltale" || role === "peer")
    .every((one) => median(one, `${id} until`) === null || median(one, `${id} unused`) !== null);
  const score = (one: ContenderResult): number | null =>
    (median(one, `${id} noticed`) ?? 0) < 1 ? null : median(one, `${id} ${isCounted ? "unused" : "until"}`);
  const found = standing(ran, score);
  const [ours, limit] = (["telltale", "limit"] as const).map((role) => {
    const one = ran.find((each) => each.role === role);
    return one === undefined ? null : score(one);
  });
  const isAtLimit = isCounted && ours != null && limit != null && ours <= limit;
  return isAtLimit && found !== "" ? `${found}, at the limit` : found;
}

/** "ahead", "level", or "BEHIND" with the name of who does better; less is better, null is worst. */
function standing(
  ran: readonly ContenderResult[],
  scoreOf: (contender: ContenderResult) => number | null,
): string {
  const telltale = ran.find(({ role }) => role === "telltale");
  const peers = ran.filter(({ role }) => role === "peer");
  if (telltale === undefined || peers.length === 0) return "";
  const score = (contender: ContenderResult): number => scoreOf(contender) ?? Number.POSITIVE_INFINITY;
  const ours = score(telltale);
  const best = peers.reduce((a, b) => (score(b) < score(a) ? b : a));
  if (score(best) < ours) return `BEHIND ${best.name}`;
  return score(best) === ours ? "level" : "ahead";
}
