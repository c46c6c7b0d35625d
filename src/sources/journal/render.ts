// A journal entry as the classic syslog line that rules are written for, the way `journalctl -o short` shows it:
// `Nov 22 19:51:02 host ident[pid]: message`, further lines of a message indented below the first.
import type { FieldName, JournalEntry, JournalField } from "./parse.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// journalctl leaves out names that are longer or not printable.
const MAX_NAME_BYTES = 300;

// A message with more lines than this is a dump; the rest is one more line that says how many were left out.
const MAX_LINES = 1_000;

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
  const ident = shown(entry.fields.get("SYSLOG_IDENTIFIER")) ?? shown(entry.fields.get("_COMM")) ?? "unknown";
  const pid = shown(entry.fields.get("_PID")) ?? shown(entry.fields.get("SYSLOG_PID"));
  const head = encoder.encode(
    `${timestamp(at)}${host === null ? "" : ` ${host}`} ${ident}${pid === null ? "" : `[${pid}]`}: `,
  );
  const body = plainText(message.bytes);
  if (blobs === "hidden" && !isPrintable(body)) {
    const whole = message.length - message.bytes.length + body.length;
    return [joined(head, encoder.encode(`[${sizeName(whole)} blob data]`))];
  }
  const indent = new Uint8Array(head.length).fill(0x20);
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

// journalctl takes out colour and title sequences of terminals and writes tabs as eight spaces. Latin-1 text keeps
// every byte as one character, whatever its encoding.
function plainText(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0x09) && !bytes.includes(0x1b)) return bytes;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const plain = text
    .replace(/\x1b\[[0-9;]*[A-Za-z]/g, "")
    .replace(/\x1b\][\x20-\x7e]*?(?:\x07|\x1b\\)/g, "")
    .replaceAll("\t", "        ");
  return Buffer.from(plain, "latin1");
}

function linesOf(body: Uint8Array): Uint8Array[] {
  if (body.length === 0) return [body];
  const lines: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    if (lines.length === MAX_LINES) {
      lines.push(encoder.encode(`[... ${body.length - at} bytes more]`));
      break;
    }
    const newline = body.indexOf(10, at);
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
