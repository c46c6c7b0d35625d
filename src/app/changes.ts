// Says what a reload changed, in the words of the configuration file.
import { formatPrefix } from "../core/address.ts";
import type { Settings } from "./settings.ts";

/** One line a key that differs: `respond.mode: "observe" is now "block"`. */
export function changesBetween(before: Settings, after: Settings): string[] {
  const changes: string[] = [];
  const was = before.config as unknown as Record<string, Record<string, unknown>>;
  const is = after.config as unknown as Record<string, Record<string, unknown>>;
  for (const [section, keys] of Object.entries(is)) {
    for (const [key, value] of Object.entries(keys)) {
      const old = was[section]?.[key];
      if (JSON.stringify(old) === JSON.stringify(value)) continue;
      changes.push(`${section}.${key}: ${JSON.stringify(old)} is now ${JSON.stringify(value)}`);
    }
  }
  if (before.mode !== after.mode && before.config.respond.mode === after.config.respond.mode) {
    changes.push(`mode: ${before.mode} is now ${after.mode}`);
  }
  const lists: [string, readonly unknown[], readonly unknown[]][] = [
    ["allow list with portsentry.ignore", before.allow.map(formatPrefix), after.allow.map(formatPrefix)],
    ["tripwire ports", before.tripwires, after.tripwires],
    ["rotation configurations", before.rotateConfigs, after.rotateConfigs],
  ];
  for (const [name, old, now] of lists) {
    const added = now.filter((item) => !old.includes(item));
    const removed = old.filter((item) => !now.includes(item));
    if (added.length > 0) changes.push(`${name}: added ${added.join(", ")}`);
    if (removed.length > 0) changes.push(`${name}: removed ${removed.join(", ")}`);
  }
  return changes;
}
