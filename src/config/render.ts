// Writes the commented example of telltale.toml from the table of keys.
import { formatDuration } from "../core/duration.ts";
import { ALL_KEYS, type KeyKind } from "./keys.ts";

/** The whole example file: every key with what it does, why its default is what it is, and that default. */
export function renderExample(): string {
  const out = [
    "# telltale.toml: every key, commented out, with its default. The file is optional, and so is every key.",
    "# It belongs at /etc/telltale/telltale.toml. Durations: 90s, 10m, 1h30m, 7d, 1w.",
    "# Schedules: a duration, every 15 minutes, hourly, daily at 06:25, weekly on monday at 03:00, monthly, or cron.",
    "# Files in telltale.d beside it are read after it, in the order of their names; the last word on a key holds.",
  ];
  let section = "";
  for (const { name, kind, fallback, summary, reason } of ALL_KEYS) {
    const of = name.slice(0, name.lastIndexOf("."));
    const key = name.slice(of.length + 1);
    // The name of a group is the administrator's; an empty group would be a fault.
    if (of !== section) out.push("", of.endsWith(".NAME") ? `# [${of}]` : `[${of}]`);
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

/** A value as somebody would write it in the file. */
export function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  // JSON's escapes are TOML's, but DEL may stand unescaped in JSON only.
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}

/** What a key takes, with its bounds: `a whole number from 1 to 1000000`. */
export function kindInWords(kind: KeyKind): string {
  switch (kind.is) {
    case "text":
      return "text";
    case "url":
      return "an address of http or https";
    case "choice":
      return `one of ${kind.of.join(", ")}`;
    case "switch":
      return "true or false";
    case "count":
      return `a whole number from ${kind.min} to ${kind.max}`;
    case "duration":
      return `a duration from ${formatDuration(kind.minMs)} to ${formatDuration(kind.maxMs)}`;
    case "schedule":
      return `a schedule: a duration from ${formatDuration(kind.minMs)} to ${formatDuration(kind.maxMs)}, words such as daily at 06:25, or a cron expression`;
    case "size":
      return "a size: 500M, 2G (powers of 1024)";
    case "room":
      return "a size (500M, 2G) or a share of the file system (10%)";
    case "texts":
      return "a list of texts";
    case "ports":
      return "a list of ports from 1 to 65535";
    case "prefixes":
      return "a list of addresses and networks";
    case "hosts":
      return "a list of addresses, networks and host names";
  }
}
