// How checking grows with the log and with the rules: one figure of many cases side by side.
import { figure, summarise } from "./figures.ts";
import type { CaseResult, ContenderResult, Table, Unit } from "./types.ts";

const WHOLE = /^(.+)-(\d+)MB-(C(?:\.UTF-8)?)$/;
const ENGINE = /^engine-(.+)-rules-(\d+)x$/;

/** The tables across the cases of the bench "check"; none where fewer than two sizes were measured. */
export function growthTables(results: readonly CaseResult[]): Table[] {
  return [withTheLog(results), withTheRules(results)].filter(({ rows }) => rows.length > 1);
}

function withTheLog(results: readonly CaseResult[]): Table {
  const series = gather(results, WHOLE, (found) => ({
    work: `${found[1]}, ${found[3]}`,
    size: Number(found[2]),
  }));
  return {
    title: "How time grows with the log",
    about:
      "Wall time of the whole command. What does not grow is the start: the rules, and the process itself. The last column is what the largest log takes, as a multiple of the smallest.",
    rows: grid(
      series,
      (size) => `${size} MB`,
      ["telltale", "logcheck"],
      [{ key: "wallMs", unit: "ms", title: "" }],
    ),
  };
}

function withTheRules(results: readonly CaseResult[]): Table {
  const series = gather(results, ENGINE, (found) => ({ work: `${found[1]} lines`, size: Number(found[2]) }));
  return {
    title: "How time grows with the rules",
    about: "Debian's server rules, and more of their kind for programs of other names.",
    rows: grid(
      series,
      (size) => `${size}× the rules`,
      ["telltale", "telltale in C.UTF-8", "Hyperscan"],
      [
        { key: "rate", unit: "MB/s", title: ", scanning" },
        { key: "buildMs", unit: "ms", title: ", compiling" },
        { key: "rssMb", unit: "MB", title: ", peak memory" },
      ],
    ),
  };
}

type Series = ReadonlyMap<string, ReadonlyMap<number, CaseResult>>;

function gather(
  results: readonly CaseResult[],
  name: RegExp,
  read: (found: RegExpExecArray) => { work: string; size: number },
): Series {
  const series = new Map<string, Map<number, CaseResult>>();
  for (const result of results) {
    const found = name.exec(result.name);
    if (found === null) continue;
    const { work, size } = read(found);
    series.set(work, (series.get(work) ?? new Map<number, CaseResult>()).set(size, result));
  }
  return series;
}

type Shown = { readonly key: string; readonly unit: Unit; readonly title: string };

// Only works of which more than one size was measured; a size that is missing leaves its cell empty.
function grid(
  series: Series,
  sizeName: (size: number) => string,
  contenders: readonly string[],
  shown: readonly Shown[],
): string[][] {
  const grown = [...series].filter(([, bySize]) => bySize.size > 1);
  const sizes = [...new Set(grown.flatMap(([, bySize]) => [...bySize.keys()]))].sort((a, b) => a - b);
  const rows = [["", ...sizes.map(sizeName), "largest to smallest"]];
  for (const [work, bySize] of grown) {
    for (const name of contenders) {
      for (const { key, unit, title } of shown) {
        const values = sizes.map((size) => medianIn(bySize.get(size), name, key));
        const measured = values.filter((value) => value !== null);
        if (measured.length === 0) continue;
        const growth = measured.length < 2 ? "" : `${(measured.at(-1)! / measured[0]!).toPrecision(2)}×`;
        const cells = values.map((value) => (value === null ? "–" : figure(value, unit)));
        rows.push([`${work}: ${name}${title}`, ...cells, growth]);
      }
    }
  }
  return rows;
}

function medianIn(result: CaseResult | undefined, name: string, key: string): number | null {
  const contender: ContenderResult | undefined = result?.contenders.find((each) => each.name === name);
  return contender === undefined ? null : (summarise(contender.samples, key)?.median ?? null);
}
