// Dates as date(1) writes them, because logcheck.conf sets the date of its subjects in that language.

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/**
 * Writes the local time by a format of date(1), in the C locale: the conversions of strftime(3) that make
 * sense in a subject. A conversion that is not among them stays as it is written.
 */
export function formatDate(format: string, at: Date): string {
  return format.replace(/%([a-zA-Z%])/g, (whole, letter: string) => CONVERSIONS[letter]?.(at) ?? whole);
}

const two = (value: number) => String(value).padStart(2, "0");
const spaced = (value: number) => String(value).padStart(2, " ");
const twelve = (at: Date) => at.getHours() % 12 || 12;

const CONVERSIONS: Record<string, (at: Date) => string> = {
  "%": () => "%",
  Y: (at) => String(at.getFullYear()),
  C: (at) => two(Math.floor(at.getFullYear() / 100)),
  y: (at) => two(at.getFullYear() % 100),
  m: (at) => two(at.getMonth() + 1),
  d: (at) => two(at.getDate()),
  e: (at) => spaced(at.getDate()),
  H: (at) => two(at.getHours()),
  I: (at) => two(twelve(at)),
  k: (at) => spaced(at.getHours()),
  l: (at) => spaced(twelve(at)),
  M: (at) => two(at.getMinutes()),
  S: (at) => two(at.getSeconds()),
  N: (at) => `${String(at.getMilliseconds()).padStart(3, "0")}000000`,
  p: (at) => (at.getHours() < 12 ? "AM" : "PM"),
  a: (at) => DAYS[at.getDay()]!.slice(0, 3),
  A: (at) => DAYS[at.getDay()]!,
  b: (at) => MONTHS[at.getMonth()]!.slice(0, 3),
  h: (at) => MONTHS[at.getMonth()]!.slice(0, 3),
  B: (at) => MONTHS[at.getMonth()]!,
  j: (at) => String(dayOfYear(at)).padStart(3, "0"),
  u: (at) => String(at.getDay() || 7),
  w: (at) => String(at.getDay()),
  s: (at) => String(Math.floor(at.getTime() / 1000)),
  z: (at) => zone(at),
  F: (at) => formatDate("%Y-%m-%d", at),
  T: (at) => formatDate("%H:%M:%S", at),
  R: (at) => formatDate("%H:%M", at),
  D: (at) => formatDate("%m/%d/%y", at),
  n: () => "\n",
  t: () => "\t",
};

function zone(at: Date): string {
  const minutes = -at.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${two(size % 60)}`;
}

function dayOfYear(at: Date): number {
  const start = Date.UTC(at.getFullYear(), 0, 1);
  return (Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) - start) / 86_400_000 + 1;
}
