// Says what a reload changed, in the words of the configuration file.
import { GROUP_KEYS, type GroupKind, KEYS, type KeyDefinition, type KeyKind } from "../config/keys.ts";
import { formatPrefix } from "../core/address.ts";
import { formatDuration } from "../core/duration.ts";
import { type ConfigFault, formatFault } from "../core/errors.ts";
import type { Schedule } from "../core/schedule.ts";
import type { Settings } from "./settings.ts";

/** The faults that a reload would bring in; those that were there already are known. */
export function freshFaults(before: Settings, after: Settings): ConfigFault[] {
  const known = new Set(before.faults.map(formatFault));
  return after.faults.filter((fault) => !known.has(formatFault(fault)));
}

/** One line a key that differs: `respond.mode: "observe" is now "block"`. */
export function changesBetween(before: Settings, after: Settings): string[] {
  const changes: string[] = [];
  const was = before.config as unknown as Record<string, Record<string, unknown>>;
  const is = after.config as unknown as Record<string, Record<string, unknown>>;
  for (const [section, keys] of Object.entries(is)) {
    if (Object.hasOwn(GROUP_KEYS, section)) continue;
    for (const [key, value] of Object.entries(keys)) {
      const old = was[section]?.[key];
      if (JSON.stringify(old) === JSON.stringify(value)) continue;
      const { kind } =
        (KEYS as readonly KeyDefinition[]).find(({ name }) => name === `${section}.${key}`) ?? {};
      const [from, to] = [inWords(kind, old), inWords(kind, value)];
      changes.push(`${section}.${key}${from === to ? " has changed" : `: ${from} is now ${to}`}`);
    }
  }
  for (const kind of Object.keys(GROUP_KEYS) as GroupKind[])
    changes.push(...groupChanges(kind, before.config[kind], after.config[kind]));
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

type Named = { readonly name: string };

function groupChanges(kind: GroupKind, before: readonly Named[], after: readonly Named[]): string[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  return names.flatMap((name) => {
    const [was, is] = [before, after].map((groups) => groups.find((group) => group.name === name));
    if (JSON.stringify(was) === JSON.stringify(is)) return [];
    return `[${kind}.${name}] ${was === undefined ? "is new" : is === undefined ? "is gone" : "has changed"}`;
  });
}

// A value as somebody would write it, not as the program counts it. What a webhook's address holds behind its host is a secret
// (Slack's is the password), and a change goes into the history and the report.
function inWords(kind: KeyKind | undefined, value: unknown): string {
  if (kind?.is === "duration") return JSON.stringify(formatDuration(value as number));
  if (kind?.is === "url" && value !== "") return JSON.stringify(`${new URL(value as string).origin}/...`);
  if (kind?.is === "schedule") return JSON.stringify((value as Schedule).text);
  return JSON.stringify(value);
}
