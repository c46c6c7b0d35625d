// What the generations of a log are called, and which names in a directory are generations of it. Names are compared
// as text, never as patterns: a log really called `*.example.com.log` must not claim its neighbours.
import type { Settings } from "../types.ts";

/** The parts that every generation's name of one log is made of. */
export type NameScheme = {
  /** The rotation directory: `olddir`, or where the log is. */
  readonly directory: string;
  readonly stem: string;
  /** The stem in its directory, which every generation's path begins with. */
  readonly path: string;
  /** `extension` or `addextension` when the log's name ends with it or takes it, else "". */
  readonly tail: string;
  readonly compressExt: string;
};

/** The directory part of an absolute path: `/` for a file in the root. */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? (slash === 0 ? "/" : ".") : path.slice(0, slash);
}

/** The last component of a path. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function joinPath(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** The scheme for one log under these settings. */
export function nameScheme(settings: Readonly<Settings>, log: string): NameScheme {
  const parent = directoryOf(log);
  const { olddir, extension, addExtension, compressExt } = settings;
  const directory = olddir === null ? parent : olddir.startsWith("/") ? olddir : joinPath(parent, olddir);
  let stem = baseOf(log);
  let tail = "";
  if (addExtension !== null) {
    if (stem.endsWith(addExtension)) stem = stem.slice(0, -addExtension.length);
    tail = addExtension;
  }
  if (extension !== null && stem.endsWith(extension)) {
    stem = stem.slice(0, -extension.length);
    tail = extension;
  }
  return { directory, stem, path: joinPath(directory, stem), tail, compressExt };
}

/** The path of generation `index`, not compressed. */
export function numberedPath(scheme: NameScheme, index: number): string {
  return `${scheme.path}.${index}${scheme.tail}`;
}

/** The path of the generation with this date text, not compressed. */
export function datedPath(scheme: NameScheme, dateText: string): string {
  return `${scheme.path}${dateText}${scheme.tail}`;
}

/** The date format in force. */
export function dateFormatOf(settings: Readonly<Settings>): string {
  return settings.dateFormat ?? (settings.criterion === "hourly" ? "-%Y%m%d%H" : "-%Y%m%d");
}

/** The moment whose date stands in the name: now, yesterday noon, or an hour ago. */
export function stampMoment(settings: Readonly<Settings>, now: Date): Date {
  const at = new Date(now.getTime());
  if (settings.dateYesterday) {
    // Noon exists once on every day; midnight does not where clocks change then.
    at.setHours(12, at.getMinutes(), at.getSeconds(), 0);
    at.setDate(at.getDate() - 1);
  }
  if (settings.dateHourAgo) at.setTime(at.getTime() - 3_600_000);
  return at;
}

function padded(count: number, width: number): string {
  return String(count).padStart(width, "0");
}

// ISO 8601 week number: the week of this week's Thursday.
function isoWeek(at: Date): number {
  const thursday = new Date(at.getFullYear(), at.getMonth(), at.getDate() + 4 - (at.getDay() || 7), 12);
  const first = new Date(thursday.getFullYear(), 0, 1, 12);
  return 1 + Math.floor(Math.round((thursday.getTime() - first.getTime()) / 86_400_000) / 7);
}

function isoYear(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() + 4 - (at.getDay() || 7), 12).getFullYear();
}

function dayOfYear(at: Date): number {
  const first = new Date(at.getFullYear(), 0, 1, 12);
  const today = new Date(at.getFullYear(), at.getMonth(), at.getDate(), 12);
  return 1 + Math.round((today.getTime() - first.getTime()) / 86_400_000);
}

function zone(at: Date): string {
  const minutes = -at.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${padded(Math.floor(size / 60), 2)}${padded(size % 60, 2)}`;
}

type Field = { readonly text: (at: Date) => string; readonly shape: string };

// strftime(3) in the local zone. The first line is logrotate 3.21's; the rest came with later versions.
const FIELDS: Readonly<Record<string, Field>> = {
  Y: { text: (at) => padded(at.getFullYear(), 4), shape: "[0-9]{4}" },
  m: { text: (at) => padded(at.getMonth() + 1, 2), shape: "[0-9]{2}" },
  d: { text: (at) => padded(at.getDate(), 2), shape: "[0-9]{2}" },
  H: { text: (at) => padded(at.getHours(), 2), shape: "[0-9]{2}" },
  M: { text: (at) => padded(at.getMinutes(), 2), shape: "[0-9]{2}" },
  S: { text: (at) => padded(at.getSeconds(), 2), shape: "[0-9]{2}" },
  V: { text: (at) => padded(isoWeek(at), 2), shape: "[0-9]{2}" },
  s: { text: (at) => String(Math.floor(at.getTime() / 1000)), shape: "[0-9]{10}" },
  z: { text: zone, shape: "[-+][0-9]{4}" },
  G: { text: (at) => padded(isoYear(at), 4), shape: "[0-9]{4}" },
  g: { text: (at) => padded(isoYear(at) % 100, 2), shape: "[0-9]{2}" },
  y: { text: (at) => padded(at.getFullYear() % 100, 2), shape: "[0-9]{2}" },
  j: { text: (at) => padded(dayOfYear(at), 3), shape: "[0-9]{3}" },
  U: { text: (at) => padded(Math.floor((dayOfYear(at) + 6 - at.getDay()) / 7), 2), shape: "[0-9]{2}" },
  W: {
    text: (at) => padded(Math.floor((dayOfYear(at) + 6 - ((at.getDay() + 6) % 7)) / 7), 2),
    shape: "[0-9]{2}",
  },
  u: { text: (at) => String(at.getDay() || 7), shape: "[1-7]" },
  w: { text: (at) => String(at.getDay()), shape: "[0-6]" },
};

type Cut = {
  readonly parts: readonly (Field & { readonly letter: string })[];
  readonly shape: RegExp;
};

// Formats come from the configuration, so they are few; thousands of logs share one.
const cuts = new Map<string, Cut>();
const MAX_CUTS = 64;

function cutFormat(format: string): Cut {
  let cut = cuts.get(format);
  if (cut === undefined) {
    const parts = pieces(format);
    cut = { parts, shape: new RegExp(`^${parts.map((part) => `(${part.shape})`).join("")}$`) };
    if (cuts.size >= MAX_CUTS) cuts.clear();
    cuts.set(format, cut);
  }
  return cut;
}

// Cuts a format into fields and plain text; a `%` before anything else is plain.
function pieces(format: string): (Field & { readonly letter: string })[] {
  const out: (Field & { letter: string })[] = [];
  for (let i = 0; i < format.length; i++) {
    const field = format[i] === "%" ? FIELDS[format[i + 1] ?? ""] : undefined;
    if (field !== undefined) out.push({ ...field, letter: format[++i]! });
    else {
      const char = format[i]!;
      out.push({ letter: "", text: () => char, shape: char.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&") });
    }
  }
  return out;
}

/** The date text for a name: strftime in the local zone, of the specifiers logrotate knows. */
export function formatStamp(format: string, at: Date): string {
  return cutFormat(format)
    .parts.map((piece) => piece.text(at))
    .join("");
}

// A date in a name as numbers that sort as time does: year, month, day, hour, minute, second. `%s` stands alone.
const SORTED_BY: Readonly<Record<string, number>> = {
  Y: 0,
  m: 1,
  d: 2,
  H: 3,
  M: 4,
  S: 5,
  G: 0,
  y: 0,
  g: 0,
  j: 2,
  s: 6,
  V: 7,
  U: 7,
  W: 7,
  u: 8,
  w: 8,
};

/** Recognises the generations of one log. */
export type GenerationMatcher = {
  /** The index of a numbered generation, or null. */
  indexOf(name: string): number | null;
  /** The sort key of a dated generation, or null. Keys compare element by element. */
  dateOf(name: string): readonly number[] | null;
};

/** A matcher for one scheme; `suffix` is what compressed generations end with, or "" for uncompressed ones. */
export function generationMatcher(scheme: NameScheme, format: string, suffix: string): GenerationMatcher {
  return new Matcher(scheme.stem, scheme.tail + suffix, format);
}

// More digits are no index.
const MAX_DIGITS = 9;

// Thousands of logs have two each: a class, since closures and regular expressions cost more than all the rest of planning.
class Matcher implements GenerationMatcher {
  readonly #stem: string;
  readonly #end: string;
  readonly #format: string;

  constructor(stem: string, end: string, format: string) {
    this.#stem = stem;
    this.#end = end;
    this.#format = format;
  }

  #fits(name: string): boolean {
    const most = name.length - this.#end.length;
    return most > this.#stem.length && name.startsWith(this.#stem) && name.endsWith(this.#end);
  }

  indexOf(name: string): number | null {
    if (!this.#fits(name) || name[this.#stem.length] !== ".") return null;
    const first = this.#stem.length + 1;
    const end = name.length - this.#end.length;
    if (first === end || end - first > MAX_DIGITS || (name[first] === "0" && end - first > 1)) return null;
    let index = 0;
    for (let at = first; at < end; at++) {
      const digit = name.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) return null;
      index = index * 10 + digit;
    }
    return index;
  }

  dateOf(name: string): readonly number[] | null {
    if (!this.#fits(name)) return null;
    const { parts, shape } = cutFormat(this.#format);
    const hit = shape.exec(name.slice(this.#stem.length, name.length - this.#end.length));
    if (hit === null) return null;
    const key = new Array<number>(9).fill(0);
    parts.forEach((part, i) => {
      const place = SORTED_BY[part.letter];
      if (place !== undefined) key[place] = Number(hit[i + 1]);
    });
    return key;
  }
}

/** Orders two keys of `dateOf`: negative when `a` is older. */
export function compareDates(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}
