// Checks one value against the kind its key wants.
import { parsePrefix } from "../core/address.ts";
import { formatDuration, parseDurationMs } from "../core/duration.ts";
import { isHostName } from "../core/hostname.ts";
import { parseSchedule } from "../core/schedule.ts";
import type { KeyDefinition, KeyKind } from "./keys/kind.ts";
import { nearestFew } from "./nearest.ts";

/** @property rest what of a faulty value can be used all the same, as it was written */
export type Checked = { value: unknown } | { fault: string; mend: string; rest?: unknown };

// Bad items of one list that are named.
const NAMED_AT_MOST = 3;

/** The value in the form the program uses (durations in milliseconds), or what is wrong with it. */
export function checkValue(kind: KeyKind, value: unknown): Checked {
  const found = `found ${JSON.stringify(value)}`;
  switch (kind.is) {
    case "text":
      if (typeof value === "string") return { value };
      return { fault: `wants text, ${found}`, mend: 'put it in quotes: "..."' };
    case "url": {
      const isUrl = typeof value === "string" && (value === "" || isWebAddress(value));
      if (isUrl) return { value };
      // What is wrong with it may hold a secret: it is not repeated.
      return { fault: "wants an address of http or https", mend: 'write it in full: "https://HOST/PATH"' };
    }
    case "choice":
      if (typeof value === "string" && kind.of.includes(value)) return { value };
      return {
        fault: `wants one of ${kind.of.join(", ")}; ${found}`,
        mend: `write "${typeof value === "string" ? nearestFew(value, kind.of, 1)[0] : kind.of[0]}"`,
      };
    case "switch":
      if (typeof value === "boolean") return { value };
      return { fault: `wants true or false, ${found}`, mend: switchMend(value) };
    case "count":
      if (typeof value === "number" && Number.isInteger(value) && value >= kind.min && value <= kind.max)
        return { value };
      return {
        fault: `wants a whole number from ${kind.min} to ${kind.max}, ${found}`,
        mend: /^\d+$/.test(String(value))
          ? `write ${countMend(kind, Number(value))}`
          : "write a number, without quotes",
      };
    case "duration": {
      const ms = typeof value === "string" ? parseDurationMs(value) : null;
      if (ms !== null && ms >= kind.minMs && ms <= kind.maxMs) return { value: ms };
      const range = `${formatDuration(kind.minMs)} to ${formatDuration(kind.maxMs)}`;
      return {
        fault: `wants a duration from ${range}, ${found}`,
        mend:
          typeof value === "number" && value > 0
            ? `write the unit: "${value}s", "${value}m" or "${value}h"`
            : 'write it as "90s", "10m", "1h" or "7d"',
      };
    }
    case "schedule": {
      const mend =
        'write "1h", "every 15 minutes", "daily at 06:25", "weekly on monday at 03:00" or a cron expression';
      if (typeof value !== "string") return { fault: `wants a schedule, ${found}`, mend };
      const schedule = parseSchedule(value);
      if ("fault" in schedule) return { fault: `${schedule.fault}; ${found}`, mend };
      const tooOften = "everyMs" in schedule && schedule.everyMs < kind.minMs;
      const tooSeldom = "everyMs" in schedule && schedule.everyMs > kind.maxMs;
      if (!tooOften && !tooSeldom) return { value: schedule };
      const range = `${formatDuration(kind.minMs)} to ${formatDuration(kind.maxMs)}`;
      return { fault: `wants a rhythm from ${range}, ${found}`, mend };
    }
    case "size": {
      const bytes = typeof value === "string" ? parseSizeBytes(value) : null;
      if (bytes !== null) return { value: bytes };
      return { fault: `wants a size, ${found}`, mend: sizeMend(value) };
    }
    case "room": {
      const share = typeof value === "string" && /^\d{1,2}(\.\d+)?\s*%$/.test(value.trim());
      if (share || (typeof value === "string" && parseSizeBytes(value) !== null)) return { value };
      return {
        fault: `wants a size or a share below 100%, ${found}`,
        mend: 'write it as "10%", "500M" or "2G"',
      };
    }
    case "texts":
      if (Array.isArray(value) && value.every((item) => typeof item === "string")) return { value };
      return {
        fault: `wants a list of texts, ${found}`,
        mend: typeof value === "string" ? `write [${JSON.stringify(value)}]` : 'write ["one", "two"]',
      };
    case "ports":
      return checkSet(value, {
        list: "a list of ports from 1 to 65535",
        items: "ports from 1 to 65535",
        isGood: (item) => Number.isInteger(item) && (item as number) > 0 && (item as number) < 65_536,
        mend: "write numbers, without quotes: [23, 3389]",
      });
    case "prefixes":
      return checkSet(value, {
        list: "a list of addresses",
        items: "addresses or networks",
        isGood: (item) => typeof item === "string" && parsePrefix(item) !== null,
        mend: 'write addresses and networks: ["192.0.2.7", "2001:db8::/32"]; names are not looked up',
      });
    case "hosts":
      return checkSet(value, {
        list: "a list of addresses, networks and names",
        items: "addresses, networks or host names",
        isGood: (item) => typeof item === "string" && (parsePrefix(item) !== null || isHostName(item)),
        mend: 'write addresses, networks and names: ["192.0.2.7", "192.0.2.0/24", "gw.example.org"]',
      });
  }
}

// Where the order says nothing, one bad item costs itself and not its neighbours.
function checkSet(
  value: unknown,
  wants: { list: string; items: string; isGood: (item: unknown) => boolean; mend: string },
): Checked {
  const { mend } = wants;
  if (!Array.isArray(value)) {
    const fault = `wants ${wants.list}, found ${JSON.stringify(value)}`;
    // Most often a single item without its brackets.
    return { fault, mend: wants.isGood(value) ? `write [${JSON.stringify(value)}]` : mend };
  }
  const good = value.filter(wants.isGood);
  if (good.length === value.length) return { value };
  const bad = value.filter((item) => !wants.isGood(item));
  const named = bad.slice(0, NAMED_AT_MOST).map((item) => JSON.stringify(item));
  const more = bad.length > named.length ? ` and ${bad.length - named.length} more` : "";
  const fault = `wants ${wants.items}, found ${named.join(", ")}${more}`;
  return good.length === 0 ? { fault, mend } : { fault, mend, rest: good };
}

// What a person meant by it is mostly plain from what was written.
function switchMend(value: unknown): string {
  const text = String(value).toLowerCase();
  if (["yes", "on", "true", "1"].includes(text)) return "write true, without quotes";
  if (["no", "off", "false", "0"].includes(text)) return "write false, without quotes";
  return "write true or false, without quotes";
}

function countMend({ min, max }: { min: number; max: number }, count: number): string {
  if (count < min) return `${min} or more`;
  return count > max ? `${max} or less` : `${count}, without quotes`;
}

function sizeMend(value: unknown): string {
  const near = /^\s*(\d{1,12})\s*([kmgt])i?b?\s*$/i.exec(String(value));
  if (near === null) return 'write it as "500M" or "2G" (powers of 1024)';
  const unit = near[2]!.toUpperCase();
  return `write "${near[1]}${unit === "K" ? "k" : unit}" (powers of 1024)`;
}

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/** What was read for a key by its full name, or its default. */
export function valueOrDefault(
  values: ReadonlyMap<string, unknown>,
  name: string,
  { kind, fallback }: KeyDefinition,
): unknown {
  return values.has(name) ? values.get(name) : defaultValue(kind, fallback);
}

function defaultValue(kind: KeyKind, fallback: KeyDefinition["fallback"]): unknown {
  const checked = checkValue(kind, fallback);
  if ("fault" in checked) throw new Error(`a default of the table of keys is faulty: ${checked.fault}`);
  return checked.value;
}

/** A size as logrotate writes them, in bytes (powers of 1024); null for anything else. */
export function parseSizeBytes(text: string): number | null {
  const hit = /^(\d{1,12})\s*([kMGT]?)$/.exec(text.trim());
  if (hit === null) return null;
  return (
    Number(hit[1]) *
    { "": 1, k: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }[hit[2] as "" | "k" | "M" | "G" | "T"]
  );
}
