// Writes the commented example of telltale.toml from the table of keys.
import { KEYS, type KeyDefinition, RETENTION_KEYS } from "./keys.ts";

/** The whole example file: every key with what it does, why its default is what it is, and that default. */
export function renderExample(): string {
  const out = [
    "# telltale.toml: every key, commented out, with its default. The file is optional, and so is every key.",
    "# It belongs at /etc/telltale/telltale.toml. Durations: 90s, 10m, 1h30m, 7d, 1w.",
    "# Schedules: a duration, every 15 minutes, hourly, daily at 06:25, weekly on monday at 03:00, monthly, or cron.",
    "# Files in telltale.d beside it are read after it, in the order of their names; the last word on a key holds.",
  ];
  let section = "";
  for (const { name, kind, fallback, summary, reason } of [
    ...KEYS,
    ...RETENTION_KEYS,
  ] as readonly KeyDefinition[]) {
    const of = name.slice(0, name.lastIndexOf("."));
    const key = name.slice(of.length + 1);
    // The name of a group is the administrator's; an empty group would be a fault.
    if (of !== section) out.push("", of === "retention.NAME" ? "# [retention.NAME]" : `[${of}]`);
    section = of;
    const choices = kind.is === "choice" ? ` (${kind.of.join(", ")})` : "";
    out.push(
      "",
      `# ${summary}${choices}.`,
      `# Default, because: ${reason}.`,
      `# ${key} = ${tomlValue(fallback)}`,
    );
  }
  return `${out.join("\n")}\n`;
}

function tomlValue(value: KeyDefinition["fallback"]): string {
  return Array.isArray(value)
    ? `[${value.map((item) => JSON.stringify(item)).join(", ")}]`
    : JSON.stringify(value);
}
