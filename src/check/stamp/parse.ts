// The date in front of a log line comes in two spellings, and a rule is usually written for one of them. Rather
// than guess at rules, the line itself is offered in both spellings.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTH_OF = new Map(MONTHS.map((name, index) => [codeOf(name), index + 1]));

// A traditional timestamp names no year and no zone. 2000 was a leap year, so every day exists in it.
const encoder = new TextEncoder();
const ASSUMED_YEAR = encoder.encode("2000-");
const ASSUMED_ZONE = encoder.encode(".000000+00:00");
const MONTH_BYTES = MONTHS.map((name) => encoder.encode(name));

// Where `2026-11-22` has its digits.
const DATE_DIGITS = [0, 1, 2, 3, 5, 6, 8, 9];

const SPACE = 0x20;
const DASH = 0x2d;
const ZERO = 0x30;
const LETTER_T = 0x54;

/** A timestamp at the head of a line: which spelling, and where the text after it begins. */
export type Stamp = {
  readonly spelling: "traditional" | "rfc3339";
  readonly end: number;
  readonly month: number;
};

/**
 * Reads `Nov 22 19:51:02` (RFC 3164 section 4.1.2) or `2026-11-22T19:51:02.123456+00:00` (RFC 3339, as RFC 5424
 * section 6.2.3 narrows it; a zone without colon, as journalctl writes it, is accepted), followed by a blank.
 * Returns null for anything else.
 */
export function parseStamp(bytes: Uint8Array, start: number, end: number): Stamp | null {
  const first = bytes[start];
  if (first === undefined || end - start < 16) return null;
  return isDigit(first) ? parseRfc3339(bytes, start, end) : parseTraditional(bytes, start, end);
}

/** The most bytes by which the other spelling of a line is longer. */
export const OTHER_SPELLING_GROWTH_BYTES = 17;

/** A timestamp written in its other spelling. */
export type OtherStamp = {
  /** Where the text after the timestamp begins in the line. */
  readonly end: number;
  /** Bytes written. */
  readonly length: number;
};

/**
 * Writes the timestamp of the line `bytes[start, end)` in the other spelling to the front of `into`, which has room for it.
 * Null when the line begins with neither spelling.
 */
export function writeOtherStamp(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
): OtherStamp | null {
  const stamp = parseStamp(bytes, start, end);
  if (stamp === null) return null;
  let at: number;
  if (stamp.spelling === "rfc3339") {
    at = put(into, 0, MONTH_BYTES[stamp.month - 1]!);
    into[at++] = SPACE;
    into[at++] = bytes[start + 8] === ZERO ? SPACE : bytes[start + 8]!;
    into[at++] = bytes[start + 9]!;
    into[at++] = SPACE;
    at = put(into, at, bytes, start + 11, start + 19);
  } else {
    at = put(into, 0, ASSUMED_YEAR);
    into[at++] = ZERO + Math.floor(stamp.month / 10);
    into[at++] = ZERO + (stamp.month % 10);
    into[at++] = DASH;
    into[at++] = bytes[start + 4] === SPACE ? ZERO : bytes[start + 4]!;
    into[at++] = bytes[start + 5]!;
    into[at++] = LETTER_T;
    at = put(into, at, bytes, start + 7, start + 15);
    at = put(into, at, ASSUMED_ZONE);
  }
  return { end: stamp.end, length: at };
}

/**
 * Writes the line `bytes[start, end)` with its timestamp in the other spelling to the front of `into`, which has room
 * for the line and OTHER_SPELLING_GROWTH_BYTES. Returns the length written, or -1 when the line begins with neither
 * spelling.
 */
export function writeOtherSpelling(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  const stamp = writeOtherStamp(bytes, start, end, into);
  if (stamp === null) return -1;
  into.set(bytes.subarray(stamp.end, end), stamp.length);
  return stamp.length + end - stamp.end;
}

function put(into: Uint8Array, at: number, from: Uint8Array, start = 0, end = from.length): number {
  for (let i = start; i < end; i++) into[at++] = from[i]!;
  return at;
}

function parseTraditional(bytes: Uint8Array, start: number, end: number): Stamp | null {
  const month = MONTH_OF.get((bytes[start]! << 16) | (bytes[start + 1]! << 8) | bytes[start + 2]!);
  if (month === undefined || bytes[start + 3] !== 0x20 || bytes[start + 6] !== 0x20) return null;
  if (bytes[start + 4] !== 0x20 && !isDigit(bytes[start + 4]!)) return null;
  if (!isDigit(bytes[start + 5]!) || !isClock(bytes, start + 7)) return null;
  return start + 15 < end && bytes[start + 15] === 0x20
    ? { spelling: "traditional", end: start + 15, month }
    : null;
}

function parseRfc3339(bytes: Uint8Array, start: number, end: number): Stamp | null {
  if (
    end - start < 21 ||
    bytes[start + 4] !== 0x2d ||
    bytes[start + 7] !== 0x2d ||
    bytes[start + 10] !== 0x54
  )
    return null;
  for (const at of DATE_DIGITS) if (!isDigit(bytes[start + at]!)) return null;
  const month = twoDigits(bytes, start + 5);
  if (month < 1 || month > 12 || !isClock(bytes, start + 11)) return null;
  let at = start + 19;
  if (bytes[at] === 0x2e || bytes[at] === 0x2c) {
    at++;
    const fraction = at;
    while (at < end && isDigit(bytes[at]!)) at++;
    if (at === fraction || at - fraction > 9) return null;
  }
  if (bytes[at] === 0x5a) at++;
  else if (bytes[at] === 0x2b || bytes[at] === 0x2d) {
    if (end - at < 6 || !isDigit(bytes[at + 1]!) || !isDigit(bytes[at + 2]!)) return null;
    at += bytes[at + 3] === 0x3a ? 4 : 3;
    if (end - at < 2 || !isDigit(bytes[at]!) || !isDigit(bytes[at + 1]!)) return null;
    at += 2;
  } else return null;
  return at < end && bytes[at] === 0x20 ? { spelling: "rfc3339", end: at, month } : null;
}

function isClock(bytes: Uint8Array, at: number): boolean {
  return (
    isDigit(bytes[at]!) &&
    isDigit(bytes[at + 1]!) &&
    bytes[at + 2] === 0x3a &&
    isDigit(bytes[at + 3]!) &&
    isDigit(bytes[at + 4]!) &&
    bytes[at + 5] === 0x3a &&
    isDigit(bytes[at + 6]!) &&
    isDigit(bytes[at + 7]!)
  );
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  return (bytes[at]! - 0x30) * 10 + bytes[at + 1]! - 0x30;
}

function codeOf(name: string): number {
  return (name.charCodeAt(0) << 16) | (name.charCodeAt(1) << 8) | name.charCodeAt(2);
}
