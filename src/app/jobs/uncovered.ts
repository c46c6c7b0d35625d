// Looks for logs that are written and that no rotation keeps in bounds: who has what open is for root to see.
import { systemClock } from "../../core/clock.ts";
import { lookAtCoverage } from "../../disk/coverage.ts";
import type { CoverageReport } from "../../disk/types.ts";
import { loadRotation } from "../../rotate/run.ts";
import { coveringOf } from "../covering.ts";
import type { Settings } from "../settings.ts";

export async function run({ settings }: { readonly settings: Settings }): Promise<CoverageReport> {
  const rotation = await loadRotation({ configs: settings.rotateConfigs, statePath: settings.rotateState });
  const covering = coveringOf(rotation, settings.rotateState);
  return await lookAtCoverage(covering, { roots: settings.config.rotate.roots, now: systemClock.now() });
}
