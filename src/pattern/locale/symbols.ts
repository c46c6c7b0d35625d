// What a line is made of. In the C locale every byte is a character; in C.UTF-8 a character is a valid UTF-8
// sequence and each byte that belongs to none stands for itself. Both become one number, a symbol, so that every
// engine in this room reads the same alphabet and no engine has to know about encodings.
import type { Locale } from "./types.ts";

/**
 * Every sequence that RFC 2279 allowed and RFC 3629 forbids for being above U+10FFFF. The GNU C library still takes
 * such a sequence for one character that belongs to no class: `.` does not match it, a negated set does.
 */
export const BEYOND_UNICODE = 0x110000;

/** Symbol of an invalid byte `b` in C.UTF-8: `INVALID_BASE + b`. Past BEYOND_UNICODE because `b` is above 0x7f. */
export const INVALID_BASE = 0x110000;

/** One past the largest symbol in either locale. */
export const SYMBOL_LIMIT = INVALID_BASE + 0x100;

/** The largest byte that is a symbol by itself: no decoding needed up to here. */
export function plainLimit(locale: Locale): number {
  return locale === "C" ? 0xff : 0x7f;
}

/**
 * The symbol that begins at `at` in C.UTF-8, for a byte above 0x7f, packed as `symbol * 8 + length in bytes`.
 * Sequences are those of RFC 3629 (no overlong forms, no surrogates), and BEYOND_UNICODE.
 */
export function decodeAt(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!;
  const invalid = (INVALID_BASE + lead) * 8 + 1;
  if (lead < 0xc2 || lead > 0xfd || at + 1 >= end) return invalid;
  const second = bytes[at + 1]!;
  if ((second & 0xc0) !== 0x80) return invalid;
  if (lead < 0xe0) return (((lead & 0x1f) << 6) | (second & 0x3f)) * 8 + 2;
  if (at + 2 >= end) return invalid;
  const third = bytes[at + 2]!;
  if ((third & 0xc0) !== 0x80) return invalid;
  if (lead < 0xf0) {
    if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f)) return invalid;
    return (((lead & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f)) * 8 + 3;
  }
  if (lead > 0xf4 || (lead === 0xf4 && second > 0x8f)) return beyondAt(bytes, at, end);
  if ((lead === 0xf0 && second < 0x90) || at + 3 >= end) return invalid;
  const fourth = bytes[at + 3]!;
  if ((fourth & 0xc0) !== 0x80) return invalid;
  const high = ((lead & 0x07) << 18) | ((second & 0x3f) << 12);
  return (high | ((third & 0x3f) << 6) | (fourth & 0x3f)) * 8 + 4;
}

// RFC 2279's sequences of four to six bytes above U+10FFFF; the second and third byte are known to continue.
function beyondAt(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!;
  const second = bytes[at + 1]!;
  const length = lead < 0xf8 ? 4 : lead < 0xfc ? 5 : 6;
  const overlong = (lead === 0xf8 && second < 0x88) || (lead === 0xfc && second < 0x84);
  let good = !overlong && at + length <= end;
  for (let i = 3; good && i < length; i++) good = (bytes[at + i]! & 0xc0) === 0x80;
  return good ? BEYOND_UNICODE * 8 + length : (INVALID_BASE + lead) * 8 + 1;
}

/** Every symbol of `bytes[start, end)` in order. */
export function decodeSymbols(bytes: Uint8Array, start: number, end: number, locale: Locale): Int32Array {
  const plain = plainLimit(locale);
  const out = new Int32Array(end - start);
  let count = 0;
  for (let at = start; at < end; ) {
    const byte = bytes[at]!;
    if (byte <= plain) {
      out[count++] = byte;
      at++;
    } else {
      const packed = decodeAt(bytes, at, end);
      out[count++] = packed >>> 3;
      at += packed & 7;
    }
  }
  return out.subarray(0, count);
}
