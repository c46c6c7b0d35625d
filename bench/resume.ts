// What a run need not do again: cases that were measured on this machine with the very program and bench that stand here
// now. So a run of everything can be had in pieces, and one that was broken off goes on where it was.
import { isDeepStrictEqual } from "node:util";
import type { BenchRecord, CaseResult, Machine } from "./types.ts";

/**
 * The cases of these records that still hold.
 * @param isSameProgram whether what stood at that commit is what stands here
 * @returns results by bench and name: "rotate small"
 */
export function stillTrue(
  records: Iterable<BenchRecord>,
  here: Machine,
  isSameProgram: (commit: string) => boolean,
): Map<string, CaseResult> {
  const found = new Map<string, CaseResult>();
  for (const { bench, machine, cases } of records) {
    if (!isDeepStrictEqual(machine, here)) continue;
    for (const result of cases) {
      if (roundsOf(result) > 0 && isSameProgram(result.commit))
        found.set(`${bench} ${result.name}`, withoutFailures(result));
    }
  }
  return found;
}

/** Rounds that telltale has had. */
export function roundsOf(result: CaseResult | undefined): number {
  return result?.contenders.find(({ role }) => role === "telltale")?.samples.length ?? 0;
}

// Who was missing then may have been installed since.
function withoutFailures(result: CaseResult): CaseResult {
  return { ...result, contenders: result.contenders.filter(({ obstacle }) => obstacle === null) };
}
