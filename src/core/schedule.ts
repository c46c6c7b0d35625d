// When work repeats, in the words people use for it: `hourly`, `daily at 06:25`, `every 15 minutes`, a duration, or a
// cron expression. Reading and reckoning are pure: time and time zone are arguments.
//
// Calendar words and cron expressions mean local time. Where the clocks go forward over a fixed time, the run comes at
// the first moment after the gap; where they go back over it, it comes once. A run that is wanted every hour comes
// every hour that passes. Durations count from midnight UTC of 1970 and know no calendar.
import { Cron } from "croner";
import { parseDurationMs } from "./duration.ts";

/** `everyMs`: at its multiples. `cron`: five fields; `exact` when somebody wrote a time of day or the expression. */
export type Schedule =
  | { readonly text: string; readonly everyMs: number }
  | { readonly text: string; readonly cron: string; readonly exact: boolean };

/** Where a schedule is reckoned: the time zone (IANA name; the host's own when absent) and this host's delay. */
export type Place = {
  readonly timeZone?: string;
  /** Put on top of `hourly`, `daily`, `weekly` and `monthly` without a time, so that many hosts do not act at once. */
  readonly jitterMs?: number;
};

/** Why a text is no schedule. */
export type ScheduleFault = { readonly fault: string };

const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const UNITS: Readonly<Record<string, string>> = {
  second: "s",
  minute: "m",
  hour: "h",
  day: "d",
  week: "w",
};
const NICKNAMES: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};
// What crontab(5) knows, and L for the last day. The library takes other words for numbers, so they are kept from it.
const CRON =
  /^(?:[\d*,/-]+ ){2}[\d*,/l-]+ (?:[\d*,/-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)+ (?:[\d*,/#l-]|sun|mon|tue|wed|thu|fri|sat)+$/;
const MAX_TEXT = 128;
// Any day will do to see whether an expression ever comes true; leap days and weekdays repeat within 28 years of it.
const EPOCH = new Date(0);

/** Reads a schedule, or says what is wrong with it. */
export function parseSchedule(text: string): Schedule | ScheduleFault {
  const words = text.trim().toLowerCase().replace(/\s+/g, " ");
  if (words === "" || words.length > MAX_TEXT) return { fault: "wants a schedule" };
  const everyMs = parseDurationMs(words) ?? parseEvery(words);
  if (everyMs !== null) {
    return everyMs > 0 ? { text: words, everyMs } : { fault: "a schedule cannot be zero" };
  }
  const calendar = parseCalendar(words);
  if (calendar !== null) return calendar;
  const cron = NICKNAMES[words] ?? (CRON.test(words) ? words : null);
  if (cron === null) return { fault: "wants a duration, words such as daily at 06:25, or a cron expression" };
  try {
    if (cronOf(cron).nextRun(EPOCH) === null) return { fault: "this date never comes" };
  } catch (error) {
    // The library throws for whatever it cannot read, and its message names the field.
    return { fault: (error as Error).message.replace(/^CronPattern: /, "cron expression: ") };
  }
  return { text: words, cron, exact: true };
}

/** The first run after `after`. */
export function nextRun(schedule: Schedule, after: Date, { timeZone, jitterMs = 0 }: Place = {}): Date {
  if ("everyMs" in schedule) {
    return new Date((Math.floor(after.getTime() / schedule.everyMs) + 1) * schedule.everyMs);
  }
  const delayMs = schedule.exact ? 0 : jitterMs;
  const run = cronOf(schedule.cron, timeZone).nextRun(new Date(after.getTime() - delayMs));
  if (run === null) throw new RangeError(`"${schedule.text}" has no run after ${after.toISOString()}`);
  return new Date(run.getTime() + delayMs);
}

/** In words: `every 1h`, `daily at 06:25`, `by cron 25 6 * * 1-5`. */
export function describeSchedule(schedule: Schedule): string {
  if ("everyMs" in schedule)
    return schedule.text.startsWith("every") ? schedule.text : `every ${schedule.text}`;
  return schedule.text === schedule.cron ? `by cron ${schedule.cron}` : schedule.text;
}

function parseEvery(words: string): number | null {
  const hit = /^every (?:(\d{1,6}) )?(second|minute|hour|day|week)s?$/.exec(words);
  if (hit !== null) return parseDurationMs(`${hit[1] ?? "1"}${UNITS[hit[2]!]}`);
  return words.startsWith("every ") ? parseDurationMs(words.slice("every ".length)) : null;
}

function parseCalendar(words: string): Schedule | ScheduleFault | null {
  const hit = /^(hourly|daily|weekly|monthly)(?: on (?:the )?([a-z0-9]+))?(?: at (\S+))?$/.exec(words);
  if (hit === null) return null;
  const [, rhythm, on, at] = hit;
  const exact = at !== undefined;
  if (rhythm === "hourly") {
    const minute = /^:([0-5]\d)$/.exec(at ?? ":00")?.[1];
    if (on !== undefined || minute === undefined) return { fault: "write hourly, or hourly at :25" };
    return { text: words, cron: `${Number(minute)} * * * *`, exact };
  }
  const time = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(at ?? "0:00");
  if (time === null) return { fault: `wants a time of day from 00:00 to 23:59, found "${at}"` };
  const clock = `${Number(time[2])} ${Number(time[1])}`;
  if (rhythm === "daily") {
    if (on !== undefined) return { fault: "daily has no day; write weekly on monday" };
    return { text: words, cron: `${clock} * * *`, exact };
  }
  if (rhythm === "weekly") {
    const day = on === undefined ? 1 : DAYS.findIndex((name) => name === on || name.slice(0, 3) === on);
    if (day < 0) return { fault: `wants a day of the week, found "${on}"` };
    return { text: words, cron: `${clock} * * ${day}`, exact };
  }
  // Every month has a 28th; later days are missing from some, and a run must not be.
  const day = on === "last" ? "L" : /^(\d{1,2})(?:st|nd|rd|th)?$/.exec(on ?? "1")?.[1];
  if (day === undefined || (day !== "L" && (Number(day) < 1 || Number(day) > 28))) {
    return { fault: `wants a day of the month from 1 to 28, or last; found "${on}"` };
  }
  return { text: words, cron: `${clock} ${day === "L" ? day : Number(day)} * *`, exact };
}

function cronOf(expression: string, timeZone?: string): Cron {
  return new Cron(expression, {
    paused: true,
    mode: "5-part",
    ...(timeZone !== undefined && { timezone: timeZone }),
  });
}
