// A journal entry as the classic syslog line that rules are written for, the way `journalctl -o short` shows it:
// `Nov 22 19:51:02 host ident[pid]: message`, further lines of a message indented below the first.
import type { FieldName, JournalEntry, JournalField } from "./parse.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// journalctl leaves out names that are longer or not printable.
const MAX_NAME_BYTES = 300;

// A message with more lines than this is a dump; the rest is one more line that says how many were left out.
const MAX_LINES = 1_000;

const UNKNOWN = "unknown";

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The lines of an entry; none when it has no message.
 * @param blobs what to do with a message that is not printable text: `hidden`, as journalctl does (`[5B blob data]`),
 *   which would let a writer hide a message from every rule with one control character; or its bytes, `raw`
 */
export function renderEntry(entry: JournalEntry, blobs: "raw" | "hidden"): Uint8Array[] {
  const message = entry.fields.get("MESSAGE");
  if (message === undefined) return [];
  const at = realtimeMs(entry.fields);
  const host = shown(entry.fields.get("_HOSTNAME"));
  const ident = shown(entry.fields.get("SYSLOG_IDENTIFIER")) ?? shown(entry.fields.get("_COMM"));
  const pid = shown(entry.fields.get("_PID")) ?? shown(entry.fields.get("SYSLOG_PID"));
  const head = encoder.encode(
    `${timestamp(at)}${host === null ? "" : ` ${host}`} ${ident ?? UNKNOWN}${pid === null ? "" : `[${pid}]`}: `,
  );
  const body = plainText(message.bytes);
  if (blobs === "hidden" && !isPrintable(body)) {
    const whole = message.length - message.bytes.length + body.length;
    return [joined(head, encoder.encode(`[${sizeName(whole)} blob data]`))];
  }
  // journalctl does not count the name that it makes up.
  const indent = new Uint8Array(head.length - (ident === null ? ` ${UNKNOWN}`.length : 0)).fill(0x20);
  return linesOf(body).map((line, index) => joined(index === 0 ? head : indent, line));
}

function realtimeMs(fields: ReadonlyMap<FieldName, JournalField>): number {
  for (const name of ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"] as const) {
    const digits = shown(fields.get(name));
    // Sixteen digits of microseconds last until the year 2286.
    if (digits !== null && /^[1-9]\d{0,15}$/.test(digits)) return Math.floor(Number(digits) / 1_000);
  }
  return 0;
}

/** `Nov  2 09:51:02` in local time (RFC 3164, section 4.1.2). */
function timestamp(ms: number): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${MONTHS[at.getMonth()]} ${two(at.getDate())} ${clock}`;
}

function shown(field: JournalField | undefined): string | null {
  if (field === undefined || field.length >= MAX_NAME_BYTES || !isPrintable(field.bytes)) return null;
  return strict.decode(field.bytes);
}

function isPrintable(bytes: Uint8Array): boolean {
  try {
    return !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(strict.decode(bytes));
  } catch {
    return false; // Not UTF-8 (RFC 3629), which is exactly the question.
  }
}

const ESC = 0x1b;
const BEL = 0x07;
const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

// As journalctl shows text: without sequences that set colours or titles, without carriage returns at line ends, and
// with eight spaces for a tab. What only looks like such a sequence stays.
function plainText(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(TAB) && !bytes.includes(ESC) && !bytes.includes(RETURN)) return bytes;
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === ESC) {
      const end = sequenceEnd(bytes, at + 1);
      if (end > 0) at = end;
      else {
        out.push(ESC);
        // The byte after it is taken as it is, unless it may begin another sequence's body.
        const next = bytes[at + 1];
        if (next !== undefined && next !== 0x5b && next !== 0x5d) out.push(bytes[++at]!);
      }
    } else if (byte === TAB) {
      for (let i = 0; i < 8; i++) out.push(0x20);
    } else if (byte !== RETURN || !returnsEndLine(bytes, at)) {
      out.push(byte);
    }
  }
  return Uint8Array.from(out);
}

// Where the sequence whose ESC stands before `at` ends; 0 when it is none: `[` digits and semicolons `m`, or
// `]` printable ASCII BEL.
function sequenceEnd(bytes: Uint8Array, at: number): number {
  const kind = bytes[at];
  if (kind !== 0x5b && kind !== 0x5d) return 0;
  for (let end = at + 1; end < bytes.length; end++) {
    const byte = bytes[end]!;
    if (byte === (kind === 0x5b ? 0x6d : BEL)) return end;
    const inside =
      kind === 0x5b ? (byte >= 0x30 && byte <= 0x39) || byte === 0x3b : byte >= 0x20 && byte <= 0x7e;
    if (!inside) return 0;
  }
  return 0;
}

function returnsEndLine(bytes: Uint8Array, at: number): boolean {
  let next = at;
  while (bytes[next] === RETURN) next++;
  return next === bytes.length || bytes[next] === NEWLINE;
}

function linesOf(body: Uint8Array): Uint8Array[] {
  if (body.length === 0) return [body];
  const lines: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    if (lines.length === MAX_LINES) {
      lines.push(encoder.encode(`[... ${body.length - at} bytes more]`));
      break;
    }
    const newline = body.indexOf(NEWLINE, at);
    const end = newline < 0 ? body.length : newline;
    lines.push(body.subarray(at, end));
    at = end + 1;
  }
  return lines;
}

// `5B`, `1.5K`: one decimal, cut, not rounded.
function sizeName(bytes: number): string {
  const units = ["B", "K", "M", "G"];
  let power = 0;
  while (bytes >= 1_024 ** (power + 1) && power < units.length - 1) power++;
  if (power === 0) return `${bytes}B`;
  const tenths = Math.floor((bytes * 10) / 1_024 ** power);
  return `${Math.floor(tenths / 10)}.${tenths % 10}${units[power]}`;
}

function joined(head: Uint8Array, rest: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + rest.length);
  whole.set(head);
  whole.set(rest, head.length);
  return whole;
}
