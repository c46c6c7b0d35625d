// Decides whether one log is due, and says why in words an administrator can check. The calendar is local, as in
// logrotate: a day begins when the clock on the wall says so.
import type { FileFact, Settings } from "../types.ts";

export type Due = { readonly rotate: boolean; readonly why: string };

const DAY_MS = 86_400_000;

/** A stamp later than this much after now is a wrong clock, not a rotation in another zone. */
const FUTURE_MS = 25 * 3_600_000;

/** When a log was last rotated; for one never seen before, when its first period began. */
export type LastRotation = { readonly at: Date; readonly isFirstSight: boolean };

/** @param now the present moment */
export function decideDue(
  settings: Readonly<Settings>,
  log: FileFact,
  last: LastRotation,
  now: Date,
  force: boolean,
): Due {
  const due = firstReason(settings, log, last, now, force);
  if (due.rotate && !settings.ifEmpty && log.sizeBytes === 0) return no("the log is empty (notifempty)");
  return due;
}

function yes(why: string): Due {
  return { rotate: true, why };
}

function no(why: string): Due {
  return { rotate: false, why };
}

function firstReason(
  settings: Readonly<Settings>,
  log: FileFact,
  last: LastRotation,
  now: Date,
  force: boolean,
): Due {
  const { maxSizeBytes, criterion, sizeBytes } = settings;
  if (force) return yes("forced");
  if (maxSizeBytes > 0 && log.sizeBytes > maxSizeBytes) {
    return yes(`${log.sizeBytes} bytes, over maxsize ${maxSizeBytes}`);
  }
  if (criterion === "size") {
    return log.sizeBytes >= sizeBytes
      ? yes(`${log.sizeBytes} bytes, size ${sizeBytes} reached`)
      : no(`${log.sizeBytes} bytes, below size ${sizeBytes}`);
  }
  if (last.at.getTime() - now.getTime() > FUTURE_MS) {
    return yes(`last rotated in the future (${day(last.at)}): the clock was wrong`);
  }
  const due = byCalendar(settings, last.at, now);
  if (!due.rotate) return last.isFirstSight ? no(firstPeriod(settings)) : due;
  if (settings.minSizeBytes > 0 && log.sizeBytes < settings.minSizeBytes) {
    return no(`${log.sizeBytes} bytes, below minsize ${settings.minSizeBytes}`);
  }
  if (settings.minAgeDays > 0 && settings.minAgeDays * DAY_MS >= now.getTime() - log.mtimeMs) {
    return no(`younger than minage ${settings.minAgeDays} days`);
  }
  return due;
}

function firstPeriod({ criterion, everyMinutes }: Readonly<Settings>): string {
  const period = criterion === "minutes" ? `minutes ${everyMinutes}` : criterion;
  return `never seen before: its first period (${period}) has begun now`;
}

function byCalendar(settings: Readonly<Settings>, last: Date, now: Date): Due {
  const { criterion } = settings;
  const sameYear = last.getFullYear() === now.getFullYear();
  const sameMonth = sameYear && last.getMonth() === now.getMonth();
  const sameDay = sameMonth && last.getDate() === now.getDate();
  const sameHour = sameDay && last.getHours() === now.getHours();
  if (criterion === "minutes") {
    const passed = Math.floor((now.getTime() - last.getTime()) / 60_000);
    const text = `minutes ${settings.everyMinutes}: ${passed} minutes since ${moment(last)}`;
    return passed >= settings.everyMinutes ? yes(text) : no(text);
  }
  if (sameHour) return no(`already rotated this hour (${moment(last)})`);
  if (criterion === "hourly") return yes(`hourly: last rotated ${moment(last)}`);
  if (criterion === "daily") {
    return sameDay ? no(`already rotated today (${moment(last)})`) : yes(`daily: last rotated ${day(last)}`);
  }
  if (criterion === "weekly") return weekly(settings.weekday, last, now);
  if (criterion === "monthly") {
    const since = settings.monthDay === 0 ? !sameMonth : monthDayPassed(settings.monthDay, last, now);
    return since
      ? yes(`monthly: last rotated ${day(last)}`)
      : no(`already rotated this month (${day(last)})`);
  }
  return sameYear ? no(`already rotated this year (${day(last)})`) : yes(`yearly: last rotated ${day(last)}`);
}

function weekly(weekday: number, last: Date, now: Date): Due {
  const days = daysBetween(last, now);
  if (days >= 7) return yes(`weekly: ${days} days since ${day(last)}`);
  if (days >= 1 && now.getDay() === weekday)
    return yes(`weekly: today is its weekday, last rotated ${day(last)}`);
  return no(`weekly: ${days} of 7 days since ${day(last)}`);
}

// Calendar days from one date to another, whatever the hours and however long the days were.
function daysBetween(from: Date, to: Date): number {
  const start = Date.UTC(from.getFullYear(), from.getMonth(), from.getDate());
  return Math.round((Date.UTC(to.getFullYear(), to.getMonth(), to.getDate()) - start) / DAY_MS);
}

// Whether the day of the month came between the two, the last day of the month standing in for a day it lacks.
function monthDayPassed(wanted: number, last: Date, now: Date): boolean {
  const inMonth = (year: number, month: number): number =>
    new Date(year, month, Math.min(wanted, new Date(year, month + 1, 0).getDate())).getTime();
  let latest = inMonth(now.getFullYear(), now.getMonth());
  if (latest > now.getTime()) latest = inMonth(now.getFullYear(), now.getMonth() - 1);
  return last.getTime() < latest;
}

function two(count: number): string {
  return String(count).padStart(2, "0");
}

function day(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

function moment(at: Date): string {
  return `${day(at)} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
