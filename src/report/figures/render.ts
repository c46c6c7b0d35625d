// How times, sizes and counts read in every report. Times stand in the zone of the machine, as in its logs.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** `Nov 22 19:51:02`, the stamp of RFC 3164 section 4.1.2. */
export function syslogStamp(at: string | Date): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return "??? ?? ??:??:??";
  return `${MONTHS[time.getMonth()]} ${String(time.getDate()).padStart(2)} ${clockStamp(time)}`;
}

/** `19:51:02` */
export function clockStamp(at: string | Date): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return "??:??:??";
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":");
}

/** `Sun Nov 22 19:51` */
export function dayStamp(at: string | Date): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return "an unknown time";
  return `${DAYS[time.getDay()]} ${syslogStamp(time).slice(0, -3)}`;
}

/** `2026-11-22 19:51`, as logcheck writes it in its subject. */
export function subjectStamp(at: string | Date): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return "unknown time";
  const day = [time.getMonth() + 1, time.getDate()].map(twoDigits).join("-");
  return `${time.getFullYear()}-${day} ${clockStamp(time).slice(0, 5)}`;
}

/** `at 19:51:02`, `19:51:02 to 19:58:40`, or with days when the two are on different ones. */
export function span(firstAt: string, lastAt: string): string {
  const [first, last] = [syslogStamp(firstAt), syslogStamp(lastAt)];
  if (first === last) return `at ${clockStamp(firstAt)}`;
  if (first.slice(0, 6) === last.slice(0, 6)) return `${clockStamp(firstAt)} to ${clockStamp(lastAt)}`;
  return `${first} to ${last}`;
}

/** `UTC`, or the zone of the machine as `UTC+05:30`. */
export function zone(at: string | Date): string {
  const offset = -new Date(at).getTimezoneOffset();
  if (Number.isNaN(offset) || offset === 0) return "UTC";
  const away = Math.abs(offset);
  return `UTC${offset < 0 ? "-" : "+"}${twoDigits(Math.floor(away / 60))}:${twoDigits(away % 60)}`;
}

/** `Sun Nov 22 19:00 to Sun Nov 22 20:00 UTC` */
export function period(from: string, to: string): string {
  return `${dayStamp(from)} to ${dayStamp(to)} ${zone(to)}`;
}

/** `1 scan`, `1,200 scans` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** `1,234,567` */
export function grouped(count: number): string {
  return String(Math.trunc(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `812 bytes`, `4.2 kB`, `1.3 GB`: powers of 1,000. */
export function bytes(sizeBytes: number): string {
  if (sizeBytes < 1_000) return counted(Math.max(0, sizeBytes), "byte");
  let size = sizeBytes;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    size /= 1_000;
    if (size < 999.5 || unit === "TB") return `${size.toFixed(size < 9.95 ? 1 : 0)} ${unit}`;
  }
  return `${sizeBytes} bytes`;
}

/** The text, or its beginning and a word on what is missing, in at most about `max` characters. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const kept = head(text, max);
  return `${kept}… (${grouped(text.length - kept.length)} more characters)`;
}

/** At most `max` UTF-16 units from the start, never half of a surrogate pair: that is a broken character in mail. */
export function head(text: string, max: number): string {
  const code = text.charCodeAt(max - 1);
  return text.slice(0, code >= 0xd800 && code < 0xdc00 ? max - 1 : max);
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
