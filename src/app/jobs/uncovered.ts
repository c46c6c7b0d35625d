// Looks for logs that are written and that no rotation covers: who has what open is for root to see.
import { loadRotation, type UncoveredLog, uncoveredLogs } from "../../rotate/run.ts";
import type { Settings } from "../settings.ts";

export async function run({ settings }: { readonly settings: Settings }): Promise<readonly UncoveredLog[]> {
  const options = { configs: settings.rotateConfigs, statePath: settings.rotateState };
  return await uncoveredLogs(await loadRotation(options), settings.config.rotate.roots, options);
}
